//! Tiles with AVX2 and FMA: a dimension of 16 items in two registers, two chains for each query.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::{GROUP, Hits, LANES, TileScores};

/// Values of a register.
const WIDTH: usize = 8;

/// # Safety
///
/// The machine has AVX2; all rows have one length, and `packed` has 16 times that.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn pack(rows: &[&[f32]; LANES], packed: &mut [f32]) {
    let dimension = rows[0].len();
    let whole = dimension - dimension % WIDTH;
    for half in [0, WIDTH] {
        for first in (0..whole).step_by(WIDTH) {
            let block: [__m256; WIDTH] = std::array::from_fn(|lane| {
                // SAFETY: first + 8 ≤ dimension, the length of every row.
                unsafe { _mm256_loadu_ps(rows[half + lane].as_ptr().add(first)) }
            });
            for (step, values) in transpose(block).into_iter().enumerate() {
                // SAFETY: (first + step)·16 + half + 8 ≤ 16·dimension, the length of `packed`.
                unsafe {
                    let place = packed.as_mut_ptr().add((first + step) * LANES + half);
                    _mm256_storeu_ps(place, values);
                }
            }
        }
    }
    for step in whole..dimension {
        for (lane, row) in rows.iter().enumerate() {
            packed[step * LANES + lane] = row[step];
        }
    }
}

/// Exchange rows and columns of 8 × 8 values.
#[target_feature(enable = "avx2")]
#[inline]
fn transpose(rows: [__m256; WIDTH]) -> [__m256; WIDTH] {
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    let pair = |a, b| (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    let (a0, a1) = pair(r0, r1);
    let (a2, a3) = pair(r2, r3);
    let (a4, a5) = pair(r4, r5);
    let (a6, a7) = pair(r6, r7);
    let quad = |a, b| {
        (
            _mm256_shuffle_ps::<0b01_00_01_00>(a, b),
            _mm256_shuffle_ps::<0b11_10_11_10>(a, b),
        )
    };
    let (b0, b1) = quad(a0, a2);
    let (b2, b3) = quad(a1, a3);
    let (b4, b5) = quad(a4, a6);
    let (b6, b7) = quad(a5, a7);
    let low = |a, b| _mm256_permute2f128_ps::<0x20>(a, b);
    let high = |a, b| _mm256_permute2f128_ps::<0x31>(a, b);
    [
        low(b0, b4),
        low(b1, b5),
        low(b2, b6),
        low(b3, b7),
        high(b0, b4),
        high(b1, b5),
        high(b2, b6),
        high(b3, b7),
    ]
}

/// # Safety
///
/// The machine has AVX2 and FMA; with d the dimension, `packed` has 16·d values, `group` QUERIES·d
/// and `floors` QUERIES.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn score<const QUERIES: usize>(
    packed: &[f32],
    biases: &[f32; LANES],
    group: &[f32],
    floors: &[f32],
    scores: &mut TileScores,
) -> Hits {
    let dimension = packed.len() / LANES;
    let mut chains = [[_mm256_setzero_ps(); 2]; QUERIES];
    for step in 0..dimension {
        // SAFETY: 16·step + 16 ≤ 16·d, the length of `packed`.
        let items = unsafe {
            let place = packed.as_ptr().add(step * LANES);
            [_mm256_loadu_ps(place), _mm256_loadu_ps(place.add(WIDTH))]
        };
        for (query, chain) in chains.iter_mut().enumerate() {
            // SAFETY: QUERIES·step + query < QUERIES·d, the length of `group`.
            let value =
                unsafe { _mm256_broadcast_ss(&*group.as_ptr().add(step * QUERIES + query)) };
            chain[0] = _mm256_fmadd_ps(value, items[0], chain[0]);
            chain[1] = _mm256_fmadd_ps(value, items[1], chain[1]);
        }
    }
    // SAFETY: there are 16 biases.
    let biases = unsafe {
        [
            _mm256_loadu_ps(biases.as_ptr()),
            _mm256_loadu_ps(biases.as_ptr().add(WIDTH)),
        ]
    };
    let zero = _mm256_setzero_ps();
    let mut hits = [0; GROUP];
    for (query, chain) in chains.iter().enumerate() {
        let floor = _mm256_set1_ps(floors[query]);
        // No negative zero: −0 + 0 = +0, and every other number stays what it is.
        let low = _mm256_add_ps(_mm256_add_ps(chain[0], biases[0]), zero);
        let high = _mm256_add_ps(_mm256_add_ps(chain[1], biases[1]), zero);
        let reached = |half| _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(half, floor)) as u32;
        hits[query] = reached(low) | reached(high) << WIDTH;
        if hits[query] != 0 {
            // SAFETY: a row of scores has 16 values.
            unsafe {
                _mm256_storeu_ps(scores[query].as_mut_ptr(), low);
                _mm256_storeu_ps(scores[query].as_mut_ptr().add(WIDTH), high);
            }
        }
    }
    hits
}
