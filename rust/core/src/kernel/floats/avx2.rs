//! Tiles with AVX2 and FMA: a dimension of 16 items in two registers, two chains for each query.

#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::slice::Iter;

use super::{Group, Hits, Scores, Tile};
use crate::kernel::{GROUP, LANES, fetch};

/// Values of a register.
const WIDTH: usize = 8;

/// Registers that hold a value of every item.
const PARTS: usize = LANES / WIDTH;

/// Dimensions that are turned at once.
const STEPS: usize = 4;

/// # Safety
///
/// The machine has AVX2; all rows of the tile have one length, and `packed` has 16 times that.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn pack(tile: &Tile, next: &Tile, packed: &mut [f32]) {
    let dimension = tile.rows[0].len();
    let whole = dimension - dimension % STEPS;
    let mut fetch = Fetch::new(next, whole / STEPS);
    for first in (0..whole).step_by(STEPS) {
        fetch.step();
        for part in 0..PARTS {
            // SAFETY: first + 4 ≤ the length of every row.
            let turned = unsafe { turn(tile, part, first) };
            for (step, values) in turned.into_iter().enumerate() {
                // SAFETY: 16·(first + step) + 8·part + 8 ≤ 16·d, the length of `packed`.
                unsafe {
                    let place = packed
                        .as_mut_ptr()
                        .add((first + step) * LANES + part * WIDTH);
                    _mm256_storeu_ps(place, values);
                }
            }
        }
    }
    for step in whole..dimension {
        for (lane, row) in tile.rows.iter().enumerate() {
            packed[step * LANES + lane] = row[step];
        }
    }
}

/// # Safety
///
/// The machine has AVX2 and FMA; with d the dimension, `packed` has 16·d values, and `group` has
/// QUERIES floors and QUERIES·d values.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn score_packed<const QUERIES: usize>(
    packed: &[f32],
    biases: &[f32; LANES],
    group: Group,
    scores: &mut Scores,
) -> Hits {
    let mut chains = [[_mm256_setzero_ps(); PARTS]; QUERIES];
    for step in 0..packed.len() / LANES {
        // SAFETY: 16·step + 16 ≤ 16·d, the length of `packed`.
        let items = unsafe {
            let place = packed.as_ptr().add(step * LANES);
            [_mm256_loadu_ps(place), _mm256_loadu_ps(place.add(WIDTH))]
        };
        for (query, chain) in chains.iter_mut().enumerate() {
            // SAFETY: QUERIES·step + query < QUERIES·d, the number of values of the group.
            let value = unsafe { broadcast(group, step * QUERIES + query) };
            for (sum, values) in chain.iter_mut().zip(items) {
                *sum = _mm256_fmadd_ps(value, values, *sum);
            }
        }
    }
    finish(chains, biases, group, scores)
}

/// # Safety
///
/// The machine has AVX2 and FMA; with d the dimension, all rows of the tile have d values, and
/// `group` has QUERIES floors and QUERIES·d values.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn score_rows<const QUERIES: usize>(
    tile: &Tile,
    next: &Tile,
    group: Group,
    scores: &mut Scores,
) -> Hits {
    let dimension = tile.rows[0].len();
    let whole = dimension - dimension % STEPS;
    let mut chains = [[_mm256_setzero_ps(); PARTS]; QUERIES];
    let mut fetch = Fetch::new(next, whole / STEPS);
    for first in (0..whole).step_by(STEPS) {
        fetch.step();
        // SAFETY: first + 4 ≤ d, the length of every row.
        let turned = unsafe { [turn(tile, 0, first), turn(tile, 1, first)] };
        for step in 0..STEPS {
            for (query, chain) in chains.iter_mut().enumerate() {
                // SAFETY: first + step < d, so this is less than QUERIES·d.
                let value = unsafe { broadcast(group, (first + step) * QUERIES + query) };
                for (sum, values) in chain.iter_mut().zip(turned) {
                    *sum = _mm256_fmadd_ps(value, values[step], *sum);
                }
            }
        }
    }
    for step in whole..dimension {
        let items = tile.rows.map(|row| row[step]);
        for (query, chain) in chains.iter_mut().enumerate() {
            // SAFETY: step < d, so this is less than QUERIES·d; there are 16 items.
            unsafe {
                let value = broadcast(group, step * QUERIES + query);
                for (part, sum) in chain.iter_mut().enumerate() {
                    let values = _mm256_loadu_ps(items.as_ptr().add(part * WIDTH));
                    *sum = _mm256_fmadd_ps(value, values, *sum);
                }
            }
        }
    }
    finish(chains, &tile.biases, group, scores)
}

/// Add the biases and compare with the floors.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn finish<const QUERIES: usize>(
    chains: [[__m256; PARTS]; QUERIES],
    biases: &[f32; LANES],
    group: Group,
    scores: &mut Scores,
) -> Hits {
    let zero = _mm256_setzero_ps();
    let mut hits = [0; GROUP];
    for (query, chain) in chains.into_iter().enumerate() {
        let floor = _mm256_set1_ps(group.floors[query]);
        let mut row = [zero; PARTS];
        for (part, sum) in chain.into_iter().enumerate() {
            // SAFETY: 8·part + 8 ≤ 16, the number of biases.
            let bias = unsafe { _mm256_loadu_ps(biases.as_ptr().add(part * WIDTH)) };
            // No negative zero: −0 + 0 = +0, and every other number stays what it is.
            row[part] = _mm256_add_ps(_mm256_add_ps(sum, bias), zero);
            let reached = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(row[part], floor));
            hits[query] |= (reached as u32) << (part * WIDTH);
        }
        if hits[query] != 0 {
            for (part, values) in row.into_iter().enumerate() {
                // SAFETY: 8·part + 8 ≤ 16, the number of a query's scores.
                unsafe { _mm256_storeu_ps(scores[query].as_mut_ptr().add(part * WIDTH), values) };
            }
        }
    }
    hits
}

/// # Safety
///
/// `position` is less than the number of values of the group.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn broadcast(group: Group, position: usize) -> __m256 {
    // SAFETY: as the caller promises.
    _mm256_broadcast_ss(unsafe { group.queries.get_unchecked(position) })
}

/// Load 4 values from each of 8 rows and give them dimension by dimension.
///
/// # Safety
///
/// Every row has at least `first` + 4 values.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn turn(tile: &Tile, part: usize, first: usize) -> [__m256; STEPS] {
    let mut fours = [_mm256_setzero_ps(); STEPS];
    for (lane, values) in fours.iter_mut().enumerate() {
        let low = tile.rows[part * WIDTH + lane].as_ptr();
        let high = tile.rows[part * WIDTH + lane + WIDTH / 2].as_ptr();
        // SAFETY: as the caller promises.
        *values = unsafe { _mm256_loadu2_m128(high.add(first), low.add(first)) };
    }
    // Exchange rows and columns of 4 × 4 values in each half of the registers.
    let [r0, r1, r2, r3] = fours;
    let (a0, a1) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
    let (a2, a3) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
    [
        _mm256_shuffle_ps::<0b01_00_01_00>(a0, a2),
        _mm256_shuffle_ps::<0b11_10_11_10>(a0, a2),
        _mm256_shuffle_ps::<0b01_00_01_00>(a1, a3),
        _mm256_shuffle_ps::<0b11_10_11_10>(a1, a3),
    ]
}

/// Fetches the rows of a tile into the cache, evenly over the steps in which another is scored.
///
/// The processor does not see by itself that rows are read to their ends: a tile touches 16 of them
/// in turn. Fetched row by row they come nearly at the speed of memory.
struct Fetch<'a> {
    rows: Iter<'a, &'a [f32]>,
    steps: usize,
    due: usize,
}

impl<'a> Fetch<'a> {
    fn new(tile: &'a Tile, steps: usize) -> Self {
        Self {
            rows: tile.rows.iter(),
            steps,
            due: 0,
        }
    }

    #[inline]
    fn step(&mut self) {
        self.due += LANES;
        while self.due >= self.steps {
            self.due -= self.steps;
            let Some(row) = self.rows.next() else { return };
            fetch(row);
        }
    }
}
