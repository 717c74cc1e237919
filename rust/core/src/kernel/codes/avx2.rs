//! Codes with AVX2 and FMA: two dimensions of eight items a multiplication.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{Block, Queries, Reached, STEP};
use crate::kernel::LANES;

/// Values of a register.
const WIDTH: usize = 8;

/// Registers that hold a sum of every item.
const PARTS: usize = LANES / WIDTH;

/// How far ahead codes are fetched, in bytes: across a page, where the processor does not by itself.
const AHEAD: usize = 1_024;

/// # Safety
///
/// The machine has AVX2 and FMA. With t tiles and p pairs of dimensions, the block has t·p·32 codes,
/// 16·t scales, and as many biases or none; `queries` has p·QUERIES pairs, and QUERIES starts, scales
/// and floors; t is at most the tiles of `reached`.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn reach<const QUERIES: usize>(
    block: &Block,
    queries: &Queries,
    reached: &mut Reached,
) -> bool {
    let pairs = queries.pairs.len() / QUERIES;
    let mut any = 0;
    for tile in 0..block.scales.len() / LANES {
        let mut sums = [[_mm256_setzero_si256(); PARTS]; QUERIES];
        for (query, sum) in sums.iter_mut().enumerate() {
            *sum = [_mm256_set1_epi32(queries.starts[query]); PARTS];
        }
        // SAFETY: the tile begins within the codes, or at their end if there are no dimensions.
        let codes = unsafe { block.codes.as_ptr().add(tile * pairs * STEP) };
        for pair in 0..pairs {
            // SAFETY: 32·pair + 32 ≤ 32·p, the codes of the tile. To fetch never fails.
            let items = unsafe {
                let place = codes.add(pair * STEP);
                _mm_prefetch::<_MM_HINT_T0>(place.wrapping_add(AHEAD));
                [widen(place), widen(place.add(STEP / PARTS))]
            };
            for (query, sum) in sums.iter_mut().enumerate() {
                // SAFETY: QUERIES·pair + query < QUERIES·p, the number of pairs of the queries.
                let both = unsafe { *queries.pairs.get_unchecked(pair * QUERIES + query) };
                let both = _mm256_set1_epi32(both);
                for (sum, items) in sum.iter_mut().zip(items) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(items, both));
                }
            }
        }
        let mut scales = [_mm256_setzero_ps(); PARTS];
        let mut biases = [_mm256_setzero_ps(); PARTS];
        for part in 0..PARTS {
            let first = tile * LANES + part * WIDTH;
            // SAFETY: first + 8 ≤ 16·t, the number of scales, and of biases if there are any.
            unsafe {
                scales[part] = from_bfloats(block.scales.as_ptr().add(first));
                if !block.biases.is_empty() {
                    biases[part] = from_bfloats(block.biases.as_ptr().add(first));
                }
            }
        }
        for (query, sum) in sums.into_iter().enumerate() {
            let scale = _mm256_set1_ps(queries.scales[query]);
            let floor = _mm256_set1_ps(queries.floors[query]);
            let mut lanes = 0;
            for part in 0..PARTS {
                let product = _mm256_mul_ps(_mm256_cvtepi32_ps(sum[part]), scales[part]);
                let bound = _mm256_fmadd_ps(product, scale, biases[part]);
                let reached = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(bound, floor));
                lanes |= (reached as u16) << (part * WIDTH);
            }
            reached[query][tile] = lanes;
            any |= lanes;
        }
    }
    any != 0
}

/// Load 16 codes as int16.
///
/// # Safety
///
/// There are 16 codes at `place`.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn widen(place: *const i8) -> __m256i {
    // SAFETY: as the caller promises.
    _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(place.cast()) })
}

/// Load 8 numbers.
///
/// # Safety
///
/// There are 8 numbers at `place`.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn from_bfloats(place: *const u16) -> __m256 {
    // SAFETY: as the caller promises.
    let bits = unsafe { _mm_loadu_si128(place.cast()) };
    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(bits)))
}
