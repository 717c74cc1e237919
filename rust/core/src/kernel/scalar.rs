//! The safe twin: the canonical score, written down as it is defined.

use super::{GROUP, Hits, LANES, TileScores};

pub(super) fn pack(rows: &[&[f32]; LANES], packed: &mut [f32]) {
    for (dimension, values) in packed.chunks_exact_mut(LANES).enumerate() {
        for (value, row) in values.iter_mut().zip(rows) {
            *value = row[dimension];
        }
    }
}

pub(super) fn score<const QUERIES: usize>(
    packed: &[f32],
    biases: &[f32; LANES],
    group: &[f32],
    floors: &[f32],
    scores: &mut TileScores,
) -> Hits {
    let mut chains = [[0.0_f32; LANES]; QUERIES];
    for (items, queries) in packed.chunks_exact(LANES).zip(group.chunks_exact(QUERIES)) {
        for (chain, &query) in chains.iter_mut().zip(queries) {
            for (sum, &item) in chain.iter_mut().zip(items) {
                *sum = query.mul_add(item, *sum);
            }
        }
    }
    let mut hits = [0; GROUP];
    for (query, chain) in chains.iter().enumerate() {
        for lane in 0..LANES {
            // No negative zero: −0 + 0 = +0, and every other number stays what it is.
            let score = chain[lane] + biases[lane] + 0.0;
            scores[query][lane] = score;
            hits[query] |= u32::from(score >= floors[query]) << lane;
        }
    }
    hits
}
