//! A part of the catalog that was built at once and never changes.

use crate::Error;
use crate::error::zeros;
use crate::workers::Workers;

use super::buffer::Buffer;
use super::codes::{Codes, FEWEST_ROWS, LARGEST_NORM, MOST_DIMENSIONS, float_above};
use super::rows::{Items, Rows, largest};

/// Rows that are checked and copied as one task.
const BLOCK: usize = 4_096;

/// Rows, with their codes where these are worth it.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) rows: Rows,
    pub(crate) codes: Option<Codes>,
    /// No less than the Euclidean norm of any row.
    pub(super) largest_norm: f64,
}

impl Segment {
    /// Check rows, and copy and code them; `copy` writes row r into the slice that it is given.
    ///
    /// `biases` are finite.
    pub(super) fn build(
        items: Items,
        dimension: usize,
        biases: Vec<f32>,
        copy: impl Fn(usize, &mut [f32]) + Sync,
        workers: &Workers,
    ) -> Result<Self, Error> {
        let mut vectors = Buffer::zeros(biases.len() * dimension)?;
        let mut norms: Vec<f32> = zeros(biases.len())?;
        // Without dimensions there is nothing to copy, and every norm is 0.
        let tasks = vectors.as_mut().chunks_mut((BLOCK * dimension).max(1));
        workers.share_out(
            tasks.zip(norms.chunks_mut(BLOCK)).enumerate(),
            || (),
            |(), (block, (vectors, norms))| {
                let rows = vectors.chunks_exact_mut(dimension.max(1)).zip(norms);
                for (place, (vector, norm)) in rows.enumerate() {
                    let row = block * BLOCK + place;
                    copy(row, vector);
                    *norm = float_above(finite_norm("vectors", row, vector)?);
                }
                Ok(())
            },
        )?;
        let rows = Rows {
            items,
            vectors,
            largest_bias: largest(&biases),
            biases: biases.into(),
            dimension,
        };
        let largest_norm = norms.iter().copied().fold(0.0, f32::max).into();
        let worth_it = rows.len() >= FEWEST_ROWS
            && (1..=MOST_DIMENSIONS).contains(&dimension)
            && largest_norm <= LARGEST_NORM;
        let codes = worth_it
            .then(|| Codes::of(&rows, &norms, workers))
            .transpose()?;
        Ok(Self {
            rows,
            codes,
            largest_norm,
        })
    }
}

/// Return the Euclidean norm of a vector, or name the value that is not finite.
pub(super) fn finite_norm(
    argument: &'static str,
    row: usize,
    vector: &[f32],
) -> Result<f64, Error> {
    let square = sum_of_squares(vector);
    // No sum of squares of finite float32 values can overflow float64.
    if !square.is_finite() {
        let found = vector
            .iter()
            .enumerate()
            .find(|(_, value)| !value.is_finite());
        if let Some((column, &value)) = found {
            return Err(Error::NotFinite {
                argument,
                row,
                column,
                value: value.into(),
            });
        }
    }
    // One part in 2⁴⁰ is more than rounding can take away.
    Ok(square.sqrt() * (1.0 + 2.0_f64.powi(-40)))
}

fn sum_of_squares(vector: &[f32]) -> f64 {
    // Eight sums, so that the processor need not wait for one addition to begin the next.
    let mut sums = [0.0; 8];
    let whole = vector.chunks_exact(8);
    let rest = whole.remainder();
    for values in whole {
        for (sum, &value) in sums.iter_mut().zip(values) {
            *sum += f64::from(value) * f64::from(value);
        }
    }
    let tail: f64 = rest
        .iter()
        .map(|&value| f64::from(value) * f64::from(value))
        .sum();
    sums.iter().sum::<f64>() + tail
}
