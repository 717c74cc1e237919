//! Tiles with NEON: a dimension of 16 items in four registers, four chains for each query.

#![allow(unsafe_code)]

use std::arch::aarch64::*;

use super::{Group, Hits, Scores};
use crate::kernel::{GROUP, LANES};

/// Values of a register.
const WIDTH: usize = 4;

/// Registers that hold a value of every item.
const PARTS: usize = LANES / WIDTH;

/// # Safety
///
/// The machine has NEON; with d the dimension, `packed` has 16·d values, and `group` has QUERIES
/// floors and QUERIES·d values.
#[target_feature(enable = "neon")]
pub(super) unsafe fn score_packed<const QUERIES: usize>(
    packed: &[f32],
    biases: &[f32; LANES],
    group: Group,
    scores: &mut Scores,
) -> Hits {
    let dimension = packed.len() / LANES;
    let mut chains = [[vdupq_n_f32(0.0); PARTS]; QUERIES];
    for step in 0..dimension {
        let mut items = [vdupq_n_f32(0.0); PARTS];
        for (part, values) in items.iter_mut().enumerate() {
            // SAFETY: 16·step + 4·part + 4 ≤ 16·d, the length of `packed`.
            *values = unsafe { vld1q_f32(packed.as_ptr().add(step * LANES + part * WIDTH)) };
        }
        for (query, chain) in chains.iter_mut().enumerate() {
            // SAFETY: QUERIES·step + query < QUERIES·d, the number of values of the group.
            let value =
                unsafe { vld1q_dup_f32(group.queries.as_ptr().add(step * QUERIES + query)) };
            for (sum, values) in chain.iter_mut().zip(items) {
                *sum = vfmaq_f32(*sum, value, values);
            }
        }
    }
    let zero = vdupq_n_f32(0.0);
    let mut hits = [0; GROUP];
    for (query, chain) in chains.iter().enumerate() {
        for (part, sum) in chain.iter().enumerate() {
            // SAFETY: 4·part + 4 ≤ 16, the number of biases and of a query's scores.
            unsafe {
                let bias = vld1q_f32(biases.as_ptr().add(part * WIDTH));
                // No negative zero: −0 + 0 = +0, and every other number stays what it is.
                let score = vaddq_f32(vaddq_f32(*sum, bias), zero);
                vst1q_f32(scores[query].as_mut_ptr().add(part * WIDTH), score);
            }
        }
        for (lane, score) in scores[query].iter().enumerate() {
            hits[query] |= u32::from(*score >= group.floors[query]) << lane;
        }
    }
    hits
}
