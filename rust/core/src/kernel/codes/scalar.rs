//! The safe twin.

use super::{Block, Queries, Reached, STEP, from_bfloat};
use crate::kernel::LANES;

pub(super) fn reach<const QUERIES: usize>(
    block: &Block,
    queries: &Queries,
    reached: &mut Reached,
) -> bool {
    let pairs = queries.pairs.len() / QUERIES;
    let mut any = false;
    for (tile, scales) in block.scales.chunks_exact(LANES).enumerate() {
        let codes = &block.codes[tile * pairs * STEP..(tile + 1) * pairs * STEP];
        for (query, reached) in reached.iter_mut().enumerate().take(QUERIES) {
            let mut sums = [queries.starts[query]; LANES];
            for (pair, codes) in codes.chunks_exact(STEP).enumerate() {
                let both = queries.pairs[pair * QUERIES + query];
                let (low, high) = (i32::from(both as i16), both >> 16);
                for (sum, codes) in sums.iter_mut().zip(codes.chunks_exact(2)) {
                    *sum += low * i32::from(codes[0]) + high * i32::from(codes[1]);
                }
            }
            let mut lanes = 0;
            for (lane, sum) in sums.iter().enumerate() {
                let bias = block.biases.get(tile * LANES + lane);
                let bias = bias.map_or(0.0, |bias| from_bfloat(*bias));
                let product = *sum as f32 * from_bfloat(scales[lane]);
                let bound = product.mul_add(queries.scales[query], bias);
                lanes |= u16::from(bound >= queries.floors[query]) << lane;
            }
            reached[tile] = lanes;
            any |= lanes != 0;
        }
    }
    any
}
