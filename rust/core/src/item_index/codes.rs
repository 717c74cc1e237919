//! Int8 codes of a segment, in order of the norm, with what bounds their error.
//!
//! # The bound
//!
//! A row x is coded as x̂ = s·c, with whole numbers |c_j| ≤ 127 and a scale s. A query q is coded as
//! q̂ = σ·g, with whole numbers g_j. From
//!
//! ```text
//! q·x = q̂·x̂ + q̂·(x − x̂) + (q − q̂)·x
//! ```
//!
//! and the inequality of Cauchy and Schwarz, with ρ no less than ‖x − x̂‖ / s and N no less than ‖x‖,
//!
//! ```text
//! q·x ≤ σ·s·(g·c + ‖g‖·ρ) + ‖q − q̂‖·N
//! ```
//!
//! g·c is a sum of int32, and exact. The kernel adds ⌈‖g‖·ρ⌉ to it, still exactly, takes the sum to
//! a float, multiplies by s, and by σ while it adds the bias: three roundings. The canonical score
//! itself is rounded d + 1 times. With u = 2⁻²⁴, half the distance from 1 to the next float, and b
//! the bias,
//!
//! ```text
//! |canonical − (q·x + b)| ≤ (d·u + 2u)·‖q‖·N + 2u·|b|        the chain, then the bias
//! |kernel − its real value| ≤ 3u·σ·s·|g·c + ⌈‖g‖·ρ⌉| + u·|b|
//!                           ≤ 3u·2·‖q‖·N + u·|b|              as s·ρ ≤ N·√d/250 ≤ 0.4·N for d ≤ 8,192
//! ```
//!
//! and all terms of second order are covered by taking (d + 16)·u for the first and 8u for the
//! second coefficient. A row that is next to nothing has s = 2⁻¹¹⁰, which may be large beside it, and
//! products may underflow; with norms of at most 2⁴⁰ all that stays far below 2⁻⁶⁰. So an item whose
//! canonical score reaches f has a kernel value of at least
//!
//! ```text
//! f − ‖q − q̂‖·N − (d + 16)·u·‖q‖·N − 8u·max|b| − 2⁻⁶⁰
//! ```
//!
//! N, ρ and the largest bias are those of the block of 256 rows. Rows stand in order of the norm, so
//! N is near each of them, and a block whose ‖q‖·N + b cannot reach f need not be looked at.

use crate::Error;
use crate::error::zeros;
use crate::kernel::LANES;
use crate::kernel::codes::{BLOCK, Block, STEP, from_bfloat};
use crate::sort::sort;
use crate::workers::Workers;

use super::buffer::Buffer;
use super::rows::Rows;

/// Most dimensions that are coded.
pub(crate) const MOST_DIMENSIONS: usize = 8_192;

/// Largest norm of a row or a query that is compared by codes.
pub(crate) const LARGEST_NORM: f64 = (1_u64 << 40) as f64;

/// Fewest rows that are coded: fewer are scored as fast as they are.
pub(super) const FEWEST_ROWS: usize = 4_096;

/// The least scale, of rows that are next to nothing.
const LEAST_SCALE: f32 = f32::from_bits(17 << 23); // 2⁻¹¹⁰

/// The largest code.
const LARGEST_CODE: f32 = 127.0;

/// Rows of a segment as codes. *Positions* count them in order of the norm, largest first.
#[derive(Debug)]
pub(crate) struct Codes {
    pub(super) codes: Buffer<i8>,
    pub(super) scales: Buffer<u16>,
    /// None if all biases are 0.
    pub(super) biases: Buffer<u16>,
    /// The row at each position.
    pub(super) order: Buffer<u32>,
    pub(super) bounds: Buffer<Bounds>,
    pub(super) pairs: usize,
}

/// What no row of a block exceeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Bounds {
    /// ‖x‖.
    pub(crate) norm: f32,
    /// ‖x − x̂‖ / s.
    pub(crate) residual: f32,
    /// The bias.
    pub(crate) bias: f32,
}

impl Codes {
    /// Code all rows, whose norms are given.
    pub(super) fn of(rows: &Rows, norms: &[f32], workers: &Workers) -> Result<Self, Error> {
        let n = rows.len();
        let order = order(rows, norms, workers)?;
        let pairs = rows.dimension().div_ceil(2);
        let blocks = n.div_ceil(BLOCK);
        let places = n.next_multiple_of(LANES);
        let unbiased = rows.biases().iter().all(|bias| *bias == 0.0);
        let mut codes = Buffer::zeros(places * pairs * 2)?;
        let mut scales: Vec<u16> = zeros(places)?;
        let mut biases: Vec<u16> = zeros(if unbiased { 0 } else { places })?;
        let mut bounds: Vec<Bounds> = zeros(blocks)?;
        let tasks = order
            .chunks(BLOCK)
            .zip(
                codes
                    .as_mut()
                    .chunks_mut((BLOCK * pairs * 2).max(1))
                    .chain(std::iter::repeat_with(|| &mut [][..])),
            )
            .zip(scales.chunks_mut(BLOCK))
            .zip(
                biases
                    .chunks_mut(BLOCK)
                    .chain(std::iter::repeat_with(|| &mut [][..])),
            )
            .zip(&mut bounds);
        workers.share_out(
            tasks,
            || (),
            |(), ((((order, codes), scales), biases), bounds)| {
                *bounds = code_block(rows, norms, order, codes, scales, biases);
                Ok(())
            },
        )?;
        Ok(Self {
            codes,
            scales: scales.into(),
            biases: biases.into(),
            order: order.into(),
            bounds: bounds.into(),
            pairs,
        })
    }

    /// What no row of a block exceeds.
    pub(crate) fn bounds(&self, block: usize) -> Bounds {
        self.bounds[block]
    }

    /// The codes of a block; the last may have fewer tiles than the others.
    pub(crate) fn block(&self, block: usize) -> Block<'_> {
        let places = block * BLOCK..self.scales.len().min((block + 1) * BLOCK);
        Block {
            codes: &self.codes[places.start * self.pairs * 2..places.end * self.pairs * 2],
            scales: &self.scales[places.clone()],
            biases: self.biases.get(places).unwrap_or(&[]),
        }
    }

    /// The row at a position.
    #[inline]
    pub(crate) fn row(&self, position: usize) -> Result<usize, Error> {
        let row = self.order[position] as usize;
        if row < self.order.len() {
            return Ok(row);
        }
        // Only a file can hold such an order.
        Err(Error::File {
            path: "the index".to_owned(),
            reason: format!(
                "position {position} is of row {row}, and there are fewer; the file is damaged"
            ),
        })
    }
}

#[cfg(test)]
impl Codes {
    /// Codes of a few rows, which an index would not make.
    pub(crate) fn of_few(vectors: &[f32], dimension: usize, biases: &[f32]) -> Self {
        let never = std::sync::atomic::AtomicBool::new(false);
        let norm = |row: &[f32]| {
            row.iter()
                .map(|value| f64::from(*value).powi(2))
                .sum::<f64>()
                .sqrt()
        };
        let norms: Vec<f32> = vectors
            .chunks_exact(dimension)
            .map(|row| float_above(norm(row) * (1.0 + 1e-12)))
            .collect();
        let rows = Rows {
            items: super::rows::Items::From(0),
            vectors: vectors.to_vec().into(),
            biases: biases.to_vec().into(),
            largest_bias: super::rows::largest(biases),
            dimension,
        };
        Self::of(&rows, &norms, &Workers::new(Some(1), &never).unwrap()).unwrap()
    }
}

/// Rows by falling norm; a bias counts as one dimension more.
fn order(rows: &Rows, norms: &[f32], workers: &Workers) -> Result<Vec<u32>, Error> {
    let least = rows.biases().iter().copied().fold(f32::INFINITY, f32::min);
    let mut keys: Vec<u64> = zeros(norms.len())?;
    workers.share_out(
        keys.chunks_mut(BLOCK).enumerate(),
        || (),
        |(), (block, keys)| {
            for (place, key) in keys.iter_mut().enumerate() {
                let row = block * BLOCK + place;
                // What a bias adds to that of others matters, and a norm counts by itself.
                let length = norms[row].hypot(rows.bias(row) - least);
                // Bits of numbers that are not negative rise with them.
                *key = u64::from(!length.to_bits()) << 32 | row as u64;
            }
            Ok(())
        },
    )?;
    sort(&mut keys, workers)?;
    let mut order: Vec<u32> = zeros(keys.len())?;
    for (row, key) in order.iter_mut().zip(keys) {
        *row = key as u32;
    }
    Ok(order)
}

fn code_block(
    rows: &Rows,
    norms: &[f32],
    order: &[u32],
    codes: &mut [i8],
    scales: &mut [u16],
    biases: &mut [u16],
) -> Bounds {
    let pairs = rows.dimension().div_ceil(2);
    let mut bounds = Bounds {
        bias: f32::NEG_INFINITY,
        ..Bounds::default()
    };
    let mut coded = vec![0; pairs * 2];
    for (place, &row) in order.iter().enumerate() {
        let row = row as usize;
        let (scale, residual) = code_row(rows.vector(row), &mut coded);
        scales[place] = scale;
        bounds.norm = bounds.norm.max(norms[row]);
        bounds.residual = bounds.residual.max(residual);
        bounds.bias = bounds.bias.max(rows.bias(row));
        if let Some(bias) = biases.get_mut(place) {
            *bias = bfloat_above(rows.bias(row));
        }
        let (tile, lane) = (place / LANES, place % LANES);
        let tile = &mut codes[tile * pairs * STEP..(tile + 1) * pairs * STEP];
        for (both, coded) in tile.chunks_exact_mut(STEP).zip(coded.chunks_exact(2)) {
            both[2 * lane..2 * lane + 2].copy_from_slice(coded);
        }
    }
    bounds
}

/// Values that are coded side by side, so that none waits for the one before it.
const SIDE_BY_SIDE: usize = 8;

/// Code a row; return the scale s as bfloat16 and no less than ‖x − x̂‖ / s.
fn code_row(row: &[f32], codes: &mut [i8]) -> (u16, f32) {
    let mut largest = [0.0_f32; SIDE_BY_SIDE];
    let values = row.chunks_exact(SIDE_BY_SIDE);
    let (tail, n_whole) = (values.remainder(), row.len() - values.remainder().len());
    for values in values.clone() {
        for (largest, value) in largest.iter_mut().zip(values) {
            *largest = if value.abs() > *largest {
                value.abs()
            } else {
                *largest
            };
        }
    }
    let largest = largest
        .into_iter()
        .chain(tail.iter().map(|value| value.abs()))
        .fold(0.0, f32::max);
    let bits = bfloat_above((largest / LARGEST_CODE).max(LEAST_SCALE));
    let scale = from_bfloat(bits);
    let code = Coding {
        scale,
        inverse: 1.0 / scale,
    };
    let mut squares = [0.0_f32; SIDE_BY_SIDE];
    for (codes, values) in codes.chunks_exact_mut(SIDE_BY_SIDE).zip(values) {
        for ((square, value), coded) in squares.iter_mut().zip(values).zip(codes) {
            *square += code.of(*value, coded);
        }
    }
    let tail = tail
        .iter()
        .zip(&mut codes[n_whole..])
        .map(|(value, coded)| code.of(*value, coded));
    let square: f32 = tail.sum::<f32>() + squares.iter().sum::<f32>();
    // Each square is off by at most 7 roundings, and the sum by d more; none is negative.
    let slack = 1.0 + (row.len() + 4) as f64 * 2.0_f64.powi(-23);
    (bits, float_above((f64::from(square) * slack).sqrt()))
}

/// How the values of a row are coded.
struct Coding {
    scale: f32,
    inverse: f32,
}

impl Coding {
    /// Code a value, and return the square of what is left of it, in units of the scale.
    #[inline]
    fn of(&self, value: f32, code: &mut i8) -> f32 {
        // Adding 1.5·2²³ rounds to a whole number, which is then in the lowest bits.
        const SHIFT: f32 = 12_582_912.0;
        let scaled = value * self.inverse;
        // As `clamp`, which the compiler does not do side by side.
        let scaled = if scaled > LARGEST_CODE {
            LARGEST_CODE
        } else {
            scaled
        };
        let scaled = if scaled < -LARGEST_CODE {
            -LARGEST_CODE
        } else {
            scaled
        };
        let shifted = scaled + SHIFT;
        *code = shifted.to_bits() as i8;
        // Scale and code have 15 bits together, so their product is exact.
        let residual = (value - (shifted - SHIFT) * self.scale) * self.inverse;
        residual * residual
    }
}

/// The least bfloat16 that is no less than a finite number.
fn bfloat_above(value: f32) -> u16 {
    let bits = value.to_bits();
    if value >= 0.0 {
        (bits.saturating_add(0xFFFF) >> 16) as u16
    } else {
        (bits >> 16) as u16
    }
}

/// The least float32 that is no less than a number.
pub(super) fn float_above(value: f64) -> f32 {
    let near = value as f32;
    if f64::from(near) < value {
        near.next_up()
    } else {
        near
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers of all sizes, many of them 0.
    fn numbers() -> impl Strategy<Value = Vec<f32>> {
        let number = prop_oneof![
            1 => Just(0.0_f32),
            3 => -2.0_f32..2.0,
            1 => (-1.0_f32..1.0, -120_i32..38).prop_map(|(value, power)| value * 2.0_f32.powi(power)),
        ];
        proptest::collection::vec(number, 1..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_row_is_no_further_from_its_codes_than_is_said(row in numbers()) {
            let mut codes = vec![0; row.len()];
            let (scale, residual) = code_row(&row, &mut codes);
            let scale = f64::from(from_bfloat(scale));
            let square: f64 = row
                .iter()
                .zip(&codes)
                .map(|(value, code)| ((f64::from(*value) - scale * f64::from(*code)) / scale).powi(2))
                .sum();
            prop_assert!(square.sqrt() <= f64::from(residual) + 2.0_f64.powi(-60));
            // Nor said to be much further: rounding leaves half a code in each dimension.
            prop_assert!(f64::from(residual) <= 0.501 * (row.len() as f64).sqrt());
        }

        #[test]
        fn what_is_rounded_up_is_the_least_that_is_no_less(value in -1e30_f32..1e30) {
            let bits = bfloat_above(value);
            prop_assert!(from_bfloat(bits) >= value);
            let below = from_bfloat(if value > 0.0 { bits - 1 } else { bits + 1 });
            prop_assert!(below < value || value == 0.0);
            let exact = f64::from(value) * (1.0 + 1e-12);
            prop_assert!(f64::from(float_above(exact)) >= exact);
            prop_assert!(f64::from(float_above(exact).next_down()) < exact);
        }
    }

    #[test]
    fn rows_stand_by_falling_norm_and_blocks_are_bounded_by_theirs() {
        let (n, dimension) = (2 * BLOCK + 21, 3);
        let vectors: Vec<f32> = (0..n * dimension)
            .map(|place| ((place * 37) % 101) as f32)
            .collect();
        let codes = Codes::of_few(&vectors, dimension, &vec![0.0; n]);
        let norm = |row: u32| {
            let row = &vectors[row as usize * dimension..][..dimension];
            row.iter()
                .map(|value| f64::from(*value).powi(2))
                .sum::<f64>()
                .sqrt()
        };
        let mut rows: Vec<u32> = codes.order.to_vec();
        assert!(rows.windows(2).all(|pair| norm(pair[0]) >= norm(pair[1])));
        for (block, rows) in rows.chunks(BLOCK).enumerate() {
            let largest = rows.iter().map(|row| norm(*row)).fold(0.0, f64::max);
            let bound = f64::from(codes.bounds(block).norm);
            assert!(largest <= bound && bound <= largest * (1.0 + 1e-6));
        }
        rows.sort_unstable();
        assert!(rows.into_iter().eq(0..n as u32));
        assert!(codes.block(0).biases.is_empty());
        assert_eq!(codes.block(2).scales.len(), 2 * LANES);
    }

    #[test]
    fn what_a_bias_adds_counts_as_a_dimension() {
        let codes = Codes::of_few(&[3.0, 1.0, 2.0], 1, &[-5.0, -1.0, -5.0]);
        assert_eq!(codes.order[..], [1, 0, 2]);
        assert_eq!(codes.bounds(0).bias, -1.0);
    }
}
