//! The safe twin: the canonical score, written down as it is defined.

use super::{Group, Hits, Scores, Tile};
use crate::kernel::{GROUP, LANES};

pub(super) fn pack(tile: &Tile, packed: &mut [f32]) {
    for (dimension, values) in packed.chunks_exact_mut(LANES).enumerate() {
        for (value, row) in values.iter_mut().zip(tile.rows) {
            *value = row[dimension];
        }
    }
}

pub(super) fn score_packed<const QUERIES: usize>(
    packed: &[f32],
    biases: &[f32; LANES],
    group: Group,
    scores: &mut Scores,
) -> Hits {
    let mut chains = [[0.0_f32; LANES]; QUERIES];
    let dimensions = group.queries.chunks_exact(QUERIES);
    for (items, queries) in packed.chunks_exact(LANES).zip(dimensions) {
        for (chain, query) in chains.iter_mut().zip(queries) {
            for (sum, item) in chain.iter_mut().zip(items) {
                *sum = query.mul_add(*item, *sum);
            }
        }
    }
    let mut hits = [0; GROUP];
    for (query, chain) in chains.iter().enumerate() {
        for lane in 0..LANES {
            // No negative zero: −0 + 0 = +0, and every other number stays what it is.
            let score = chain[lane] + biases[lane] + 0.0;
            scores[query][lane] = score;
            hits[query] |= u32::from(score >= group.floors[query]) << lane;
        }
    }
    hits
}
