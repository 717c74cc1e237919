//! The catalog: item vectors and biases, checked once and then owned.

use crate::Error;
use crate::error::reserve;
use crate::workers::Workers;

/// Rows that are checked and copied as one task.
const BLOCK: usize = 4_096;

/// Item vectors `x_i` in row-major order and biases `b_i`, all finite.
#[derive(Debug, Clone)]
pub struct ItemIndex {
    vectors: Vec<f32>,
    biases: Vec<f32>,
    dimension: usize,
    largest_norm: f64,
    largest_bias: f64,
}

impl ItemIndex {
    /// Check and copy `vectors` (row-major, `items` rows of `dimension` values) and `biases`.
    pub fn new(
        vectors: &[f32],
        items: usize,
        dimension: usize,
        biases: &[f32],
        workers: &Workers,
    ) -> Result<Self, Error> {
        // Item indices are int32.
        if items > i32::MAX as usize {
            return Err(Error::TooMany {
                argument: "vectors",
                unit: "items",
                most: i32::MAX as usize,
                found: items,
            });
        }
        if biases.len() != items {
            return Err(Error::Length {
                argument: "biases",
                unit: "entries (one for each item)",
                expected: items,
                found: biases.len(),
            });
        }
        if items.checked_mul(dimension) != Some(vectors.len()) {
            return Err(Error::Length {
                argument: "vectors",
                unit: "values (items × dimension)",
                expected: items.saturating_mul(dimension),
                found: vectors.len(),
            });
        }
        if let Some(position) = biases.iter().position(|bias| !bias.is_finite()) {
            return Err(Error::EntryNotFinite {
                argument: "biases",
                position,
                value: biases[position].into(),
            });
        }
        let mut owned = Vec::new();
        reserve(&mut owned, vectors.len())?;
        owned.resize(vectors.len(), 0.0);
        let norms = workers.share_out(
            owned.chunks_mut((BLOCK * dimension).max(1)).enumerate(),
            || 0.0,
            |largest: &mut f64, (block, copy)| {
                let start = block * BLOCK * dimension;
                copy.copy_from_slice(&vectors[start..start + copy.len()]);
                *largest = largest.max(largest_norm("vectors", copy, dimension, block * BLOCK)?);
                Ok(())
            },
        )?;
        Ok(Self {
            vectors: owned,
            biases: biases.to_vec(),
            dimension,
            largest_norm: norms.into_iter().fold(0.0, f64::max),
            largest_bias: biases
                .iter()
                .fold(0.0, |most, bias| bias.abs().max(most))
                .into(),
        })
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.biases.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.biases.is_empty()
    }

    /// How many values a vector has.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The vector of an item.
    pub(crate) fn vector(&self, item: usize) -> &[f32] {
        &self.vectors[item * self.dimension..(item + 1) * self.dimension]
    }

    /// The bias of an item.
    pub(crate) fn bias(&self, item: usize) -> f32 {
        self.biases[item]
    }

    /// Check queries (row-major) and return how many there are.
    ///
    /// By Cauchy and Schwarz no partial sum of the canonical chain is larger than ‖q‖·‖x‖, but for
    /// rounding, so a query that passes can never meet an overflow.
    pub(crate) fn check_queries(&self, queries: &[f32], rows: usize) -> Result<(), Error> {
        if rows.checked_mul(self.dimension) != Some(queries.len()) {
            return Err(Error::Length {
                argument: "queries",
                unit: "values (rows × dimension of the items)",
                expected: rows.saturating_mul(self.dimension),
                found: queries.len(),
            });
        }
        for row in 0..rows {
            let query = &queries[row * self.dimension..(row + 1) * self.dimension];
            let query_norm = largest_norm("queries", query, self.dimension, row)?;
            // Half of the range is far more than rounding can add.
            if query_norm * self.largest_norm + self.largest_bias > f64::from(f32::MAX) / 2.0 {
                return Err(Error::ScoreOverflow {
                    row,
                    query_norm,
                    item_norm: self.largest_norm,
                    bias: self.largest_bias,
                });
            }
        }
        Ok(())
    }
}

/// Return the largest Euclidean norm of some rows, the first of which is called `first_row`.
fn largest_norm(
    argument: &'static str,
    values: &[f32],
    dimension: usize,
    first_row: usize,
) -> Result<f64, Error> {
    let mut largest: f64 = 0.0;
    for (row, vector) in values.chunks_exact(dimension.max(1)).enumerate() {
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
                    row: first_row + row,
                    column,
                    value: value.into(),
                });
            }
        }
        largest = largest.max(square);
    }
    Ok(largest.sqrt())
}

fn sum_of_squares(vector: &[f32]) -> f64 {
    // Four sums, so that the processor need not wait for one addition to begin the next.
    let mut sums = [0.0; 4];
    let quads = vector.chunks_exact(4);
    let rest = quads.remainder();
    for quad in quads {
        for (sum, &value) in sums.iter_mut().zip(quad) {
            *sum += f64::from(value) * f64::from(value);
        }
    }
    let tail: f64 = rest
        .iter()
        .map(|&value| f64::from(value) * f64::from(value))
        .sum();
    sums.iter().sum::<f64>() + tail
}
