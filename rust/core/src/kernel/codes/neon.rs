//! Codes with NEON: one dimension of four items a multiplication.

#![allow(unsafe_code)]

use std::arch::aarch64::*;

use super::{Block, Queries, Reached, STEP};
use crate::kernel::LANES;

/// Values of a register.
const WIDTH: usize = 4;

/// Registers that hold a sum of every item.
const PARTS: usize = LANES / WIDTH;

/// # Safety
///
/// The machine has NEON. With t tiles and p pairs of dimensions, the block has t·p·32 codes, 16·t
/// scales, and as many biases or none; `queries` has p·QUERIES pairs, and QUERIES starts, scales and
/// floors; t is at most the tiles of `reached`.
#[target_feature(enable = "neon")]
pub(super) unsafe fn reach<const QUERIES: usize>(
    block: &Block,
    queries: &Queries,
    reached: &mut Reached,
) -> bool {
    let pairs = queries.pairs.len() / QUERIES;
    let mut any = 0;
    for tile in 0..block.scales.len() / LANES {
        let mut sums = [[vdupq_n_s32(0); PARTS]; QUERIES];
        for (query, sum) in sums.iter_mut().enumerate() {
            *sum = [vdupq_n_s32(queries.starts[query]); PARTS];
        }
        for pair in 0..pairs {
            // SAFETY: 32·(tile·p + pair) + 32 ≤ 32·t·p, the number of codes.
            let both = unsafe { vld2q_s8(block.codes.as_ptr().add((tile * pairs + pair) * STEP)) };
            let halves = [widen(both.0), widen(both.1)];
            for (query, sum) in sums.iter_mut().enumerate() {
                let values = queries.pairs[pair * QUERIES + query];
                for (half, value) in halves.iter().zip([values as i16, (values >> 16) as i16]) {
                    for (sum, items) in sum.iter_mut().zip(half) {
                        *sum = vmlal_n_s16(*sum, *items, value);
                    }
                }
            }
        }
        let mut scales = [vdupq_n_f32(0.0); PARTS];
        let mut biases = [vdupq_n_f32(0.0); PARTS];
        for part in 0..PARTS {
            let first = tile * LANES + part * WIDTH;
            // SAFETY: first + 4 ≤ 16·t, the number of scales, and of biases if there are any.
            unsafe {
                scales[part] = from_bfloats(block.scales.as_ptr().add(first));
                if !block.biases.is_empty() {
                    biases[part] = from_bfloats(block.biases.as_ptr().add(first));
                }
            }
        }
        for (query, sum) in sums.into_iter().enumerate() {
            let scale = vdupq_n_f32(queries.scales[query]);
            let floor = vdupq_n_f32(queries.floors[query]);
            let mut lanes = 0;
            for part in 0..PARTS {
                let product = vmulq_f32(vcvtq_f32_s32(sum[part]), scales[part]);
                let bound = vfmaq_f32(biases[part], product, scale);
                lanes |= bits(vcgeq_f32(bound, floor)) << (part * WIDTH);
            }
            reached[query][tile] = lanes;
            any |= lanes;
        }
    }
    any != 0
}

/// Sixteen codes as int16, four a register.
#[target_feature(enable = "neon")]
#[inline]
fn widen(codes: int8x16_t) -> [int16x4_t; PARTS] {
    let low = vmovl_s8(vget_low_s8(codes));
    let high = vmovl_s8(vget_high_s8(codes));
    [
        vget_low_s16(low),
        vget_high_s16(low),
        vget_low_s16(high),
        vget_high_s16(high),
    ]
}

/// Load 4 numbers.
///
/// # Safety
///
/// There are 4 numbers at `place`.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn from_bfloats(place: *const u16) -> float32x4_t {
    // SAFETY: as the caller promises.
    let bits = unsafe { vld1_u16(place) };
    vreinterpretq_f32_u32(vshll_n_u16::<16>(bits))
}

/// One bit for each lane that is all ones.
#[target_feature(enable = "neon")]
#[inline]
fn bits(mask: uint32x4_t) -> u16 {
    let weights = vsetq_lane_u32::<3>(
        8,
        vsetq_lane_u32::<2>(4, vsetq_lane_u32::<1>(2, vdupq_n_u32(1))),
    );
    vaddvq_u32(vandq_u32(mask, weights)) as u16
}
