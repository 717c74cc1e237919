//! Sums of chosen rows of a sparse matrix: what a linear model makes of a history.

use crate::error::{Error, reserve};
use crate::indices::check_indices;
use crate::ragged::Ragged;
use crate::workers::Workers;

/// A sparse matrix in rows: the columns and weights of each row, all rows one after the other.
#[derive(Debug, Clone, Copy)]
pub struct SparseRows<'a> {
    offsets: Ragged<'a>,
    columns: &'a [i32],
    weights: &'a [f32],
    n_columns: usize,
}

impl<'a> SparseRows<'a> {
    /// Check the shape; columns are checked when they are met.
    pub fn new(
        offsets: &'a [i64],
        columns: &'a [i32],
        weights: &'a [f32],
        n_columns: usize,
    ) -> Result<Self, Error> {
        if columns.len() != weights.len() {
            return Err(Error::Length {
                argument: "weights",
                unit: "entries (one for each of columns)",
                expected: columns.len(),
                found: weights.len(),
            });
        }
        Ok(Self {
            offsets: Ragged::new("offsets", offsets, columns.len())?,
            columns,
            weights,
            n_columns,
        })
    }

    /// Add a row to sums of all columns.
    fn add(&self, row: usize, sums: &mut [f32]) -> Result<(), Error> {
        let span = self.offsets.row(row);
        let (columns, weights) = (&self.columns[span.clone()], &self.weights[span]);
        for (column, weight) in columns.iter().zip(weights) {
            // A negative one becomes far too large.
            match sums.get_mut(*column as usize) {
                Some(sum) => *sum += weight,
                None => return check_indices("columns", &[*column], self.n_columns),
            }
        }
        Ok(())
    }
}

/// Sum rows of `matrix`, `rows[chosen.row(i)]` for the sum i, in the order in which they come.
///
/// Returns the sums row-major, each of `n_columns` values.
pub fn sum_sparse_rows(
    matrix: SparseRows,
    chosen: &[i64],
    rows: &[i32],
    workers: &Workers,
) -> Result<Vec<f32>, Error> {
    let chosen = Ragged::new("chosen", chosen, rows.len())?;
    check_indices("rows", rows, matrix.offsets.rows())?;
    let length = chosen.rows().saturating_mul(matrix.n_columns);
    let mut sums = Vec::new();
    reserve(&mut sums, length)?;
    sums.resize(length, 0.0);
    workers.share_out(
        sums.chunks_mut(matrix.n_columns.max(1)).enumerate(),
        || (),
        |(), (row, sums)| {
            let mut chosen = rows[chosen.row(row)].iter();
            chosen.try_for_each(|of| matrix.add(*of as usize, sums))
        },
    )?;
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    static NEVER: AtomicBool = AtomicBool::new(false);

    /// Rows {0: 1, 2: 2}, {}, {1: 4}.
    fn matrix(columns: &[i32]) -> Result<SparseRows<'_>, Error> {
        SparseRows::new(&[0, 2, 2, 3], columns, &[1.0, 2.0, 4.0], 3)
    }

    fn sums(columns: &[i32], chosen: &[i64], rows: &[i32]) -> Result<Vec<f32>, Error> {
        let workers = Workers::new(Some(2), &NEVER)?;
        sum_sparse_rows(matrix(columns)?, chosen, rows, &workers)
    }

    #[test]
    fn chosen_rows_are_summed() {
        let found = sums(&[0, 2, 1], &[0, 2, 2, 4], &[0, 2, 0, 0]).unwrap();
        assert_eq!(found, [1.0, 4.0, 2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 4.0]);
    }

    #[test]
    fn nothing_is_asked_for_and_nothing_is_given() {
        assert_eq!(sums(&[0, 2, 1], &[0], &[]).unwrap(), []);
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let message =
            |columns: &[i32], rows: &[i32]| sums(columns, &[0, 1], rows).unwrap_err().to_string();
        assert!(message(&[0, 3, 1], &[0]).starts_with("columns"));
        assert!(message(&[0, -1, 1], &[0]).starts_with("columns"));
        assert!(message(&[0, 2, 1], &[3]).starts_with("rows"));
        assert!(sums(&[0, 2], &[0], &[]).is_err());
    }
}
