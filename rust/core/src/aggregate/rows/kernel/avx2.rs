//! Rows turned in registers, 4 × 4 numbers at a time.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use crate::Error;
use crate::aggregate::rows::block::{Block, Part, Scratch};
use crate::aggregate::rows::plan::{Plan, Tile};
use crate::aggregate::rows::{Contribution, LANES, Lanes, RowKernel, Rows};
use crate::workers::Workers;

/// Values of a register.
const WIDTH: usize = 4;

/// A contribution that can be read four at a time.
pub trait Four: Sized {
    /// Read four as float64.
    ///
    /// # Safety
    ///
    /// The machine has AVX2.
    unsafe fn four(values: &[Self; WIDTH]) -> __m256d;
}

impl Four for f32 {
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn four(values: &[Self; WIDTH]) -> __m256d {
        // SAFETY: there are four values.
        unsafe { _mm256_cvtps_pd(_mm_loadu_ps(values.as_ptr())) }
    }
}

impl Four for f64 {
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn four(values: &[Self; WIDTH]) -> __m256d {
        // SAFETY: there are four values.
        unsafe { _mm256_loadu_pd(values.as_ptr()) }
    }
}

#[target_feature(enable = "avx2")]
pub(super) fn aggregate<T: Contribution>(
    block: &mut Block,
    rows: &Rows<T>,
    plan: &Plan,
    scratch: &mut Scratch,
    kernel: RowKernel,
    workers: &Workers,
) -> Result<Part, Error> {
    block.aggregate(rows, plan, scratch, kernel, workers)
}

#[target_feature(enable = "avx2")]
pub(super) fn turn<T: Contribution>(rows: &[&[T]; LANES], tile: &mut Tile) {
    for half in [0, WIDTH] {
        let [a, b, c, d] = [half, half + 1, half + 2, half + 3];
        let (a, b) = (
            rows[a].as_chunks::<WIDTH>().0,
            rows[b].as_chunks::<WIDTH>().0,
        );
        let (c, d) = (
            rows[c].as_chunks::<WIDTH>().0,
            rows[d].as_chunks::<WIDTH>().0,
        );
        let fours = a.iter().zip(b).zip(c.iter().zip(d));
        let lanes = tile.as_chunks_mut::<WIDTH>().0;
        for (((a, b), (c, d)), lanes) in fours.zip(lanes) {
            // SAFETY: the machine has AVX2, as this function asks.
            let turned = unsafe { square(T::four(a), T::four(b), T::four(c), T::four(d)) };
            for (lanes, turned) in lanes.iter_mut().zip(turned) {
                // SAFETY: half + 4 ≤ 8, the number of lanes.
                unsafe { _mm256_storeu_pd(lanes.as_mut_ptr().add(half), turned) };
            }
        }
    }
    let whole = rows[0].len() - rows[0].len() % WIDTH;
    for (lane, row) in rows.iter().enumerate() {
        for (lanes, &value) in tile[whole..].iter_mut().zip(&row[whole..]) {
            lanes[lane] = value.into();
        }
    }
}

/// `rows` are eight, of as many values as there are sums.
#[target_feature(enable = "avx2")]
pub(super) fn turn_back(sums: &[Lanes], rows: &mut [f64]) {
    let n_groups = sums.len();
    let (fours, rest) = sums.as_chunks::<WIDTH>();
    for half in [0, WIDTH] {
        let rows = &mut rows[half * n_groups..][..WIDTH * n_groups];
        for (place, four) in fours.iter().enumerate() {
            let [a, b, c, d] = four;
            // SAFETY: half + 4 ≤ 8, the number of lanes.
            let turned = unsafe {
                square(
                    _mm256_loadu_pd(a.as_ptr().add(half)),
                    _mm256_loadu_pd(b.as_ptr().add(half)),
                    _mm256_loadu_pd(c.as_ptr().add(half)),
                    _mm256_loadu_pd(d.as_ptr().add(half)),
                )
            };
            for (lane, turned) in turned.into_iter().enumerate() {
                let room = &mut rows[lane * n_groups + place * WIDTH..][..WIDTH];
                // SAFETY: there is room for four.
                unsafe { _mm256_storeu_pd(room.as_mut_ptr(), turned) };
            }
        }
        for (place, sum) in rest.iter().enumerate() {
            for lane in 0..WIDTH {
                rows[lane * n_groups + n_groups - rest.len() + place] = sum[half + lane];
            }
        }
    }
}

/// Exchange the rows and columns of 4 × 4 numbers.
#[target_feature(enable = "avx2")]
#[inline]
fn square(a: __m256d, b: __m256d, c: __m256d, d: __m256d) -> [__m256d; WIDTH] {
    let (a0, a1) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
    let (c0, c1) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
    [
        _mm256_permute2f128_pd::<0x20>(a0, c0),
        _mm256_permute2f128_pd::<0x20>(a1, c1),
        _mm256_permute2f128_pd::<0x31>(a0, c0),
        _mm256_permute2f128_pd::<0x31>(a1, c1),
    ]
}
