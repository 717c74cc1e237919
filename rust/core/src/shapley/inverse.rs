//! The inverse of a symmetric positive definite matrix, by Cholesky's decomposition.

use super::plan::filled;
use crate::Error;
use crate::workers::Workers;

/// Share of a diagonal entry that must be left of it, once what the rows before explain is taken
/// off. Less is rounding, and the row depends on those before it.
const LEAST_LEFT: f64 = 1e-10;

/// Invert a symmetric matrix of `size` rows; none if it is singular to working precision.
pub(super) fn inverse(
    matrix: &[f64],
    size: usize,
    workers: &Workers,
) -> Result<Option<Vec<f64>>, Error> {
    let Some(factor) = factor(matrix, size, workers)? else {
        return Ok(None);
    };
    let factor = inverse_of_factor(&factor, size, workers)?;
    // A⁻¹ = XᵀX with X = L⁻¹.
    let mut inverse = square(size, workers)?;
    for row in factor.chunks_exact(size.max(1)) {
        for (place, &value) in row.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            workers.go_on()?;
            let start = place * size;
            add_multiple(&mut inverse[start..=start + place], value, &row[..=place]);
        }
    }
    mirror(&mut inverse, size, workers)?;
    Ok(Some(inverse))
}

/// L, lower triangular, with A = LLᵀ.
fn factor(matrix: &[f64], size: usize, workers: &Workers) -> Result<Option<Vec<f64>>, Error> {
    let mut factor = square(size, workers)?;
    for (row, of_matrix) in factor
        .chunks_mut(size.max(1))
        .zip(matrix.chunks(size.max(1)))
    {
        workers.go_on()?;
        row.copy_from_slice(of_matrix);
    }
    let mut column = vec![0.0; size];
    for place in 0..size {
        let left = factor[place * size + place];
        if left.is_nan() || left <= LEAST_LEFT * matrix[place * size + place] {
            return Ok(None);
        }
        let root = left.sqrt();
        factor[place * size + place] = root;
        for row in place + 1..size {
            workers.go_on()?;
            let start = row * size;
            column[row] = factor[start + place] / root;
            factor[start + place] = column[row];
            add_multiple(
                &mut factor[start + place + 1..=start + row],
                -column[row],
                &column[place + 1..=row],
            );
        }
    }
    Ok(Some(factor))
}

/// X = L⁻¹, lower triangular with zeros above.
fn inverse_of_factor(factor: &[f64], size: usize, workers: &Workers) -> Result<Vec<f64>, Error> {
    let mut inverse = square(size, workers)?;
    for row in 0..size {
        workers.go_on()?;
        let (before, mine) = inverse.split_at_mut(row * size);
        let mine = &mut mine[..size];
        mine[row] = 1.0;
        let of_row = &factor[row * size..];
        for (other, of_other) in before.chunks_exact(size).enumerate() {
            workers.go_on()?;
            add_multiple(&mut mine[..=other], -of_row[other], &of_other[..=other]);
        }
        mine.iter_mut().for_each(|value| *value /= of_row[row]);
    }
    Ok(inverse)
}

/// Copy what is below the diagonal to above it.
pub(super) fn mirror(matrix: &mut [f64], size: usize, workers: &Workers) -> Result<(), Error> {
    for row in 0..size {
        workers.go_on()?;
        for column in 0..row {
            matrix[column * size + row] = matrix[row * size + column];
        }
    }
    Ok(())
}

/// A matrix of zeros.
pub(super) fn square(size: usize, workers: &Workers) -> Result<Vec<f64>, Error> {
    filled(0.0, size.saturating_mul(size), workers)
}

/// values += factor · other
pub(super) fn add_multiple(values: &mut [f64], factor: f64, other: &[f64]) {
    for (value, other) in values.iter_mut().zip(other) {
        *value += factor * other;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use proptest::prelude::*;

    use super::*;

    fn inverted(matrix: &[f64], size: usize) -> Option<Vec<f64>> {
        let never = AtomicBool::new(false);
        inverse(matrix, size, &Workers::new(Some(1), &never).unwrap()).unwrap()
    }

    /// XᵀX of the rows of x.
    fn gram(rows: &[Vec<f64>], size: usize) -> Vec<f64> {
        let mut gram = vec![0.0; size * size];
        for row in rows {
            for (place, value) in row.iter().enumerate() {
                add_multiple(&mut gram[place * size..(place + 1) * size], *value, row);
            }
        }
        gram
    }

    proptest! {
        #[test]
        fn a_matrix_times_its_inverse_is_the_identity(
            rows in proptest::collection::vec(proptest::collection::vec(-1.0_f64..1.0, 7), 20)
        ) {
            let mut matrix = gram(&rows, 7);
            for place in 0..7 {
                matrix[place * 8] += 0.1;
            }
            let inverse = inverted(&matrix, 7).unwrap();
            for row in 0..7 {
                let mut product = vec![0.0; 7];
                for place in 0..7 {
                    add_multiple(
                        &mut product,
                        matrix[row * 7 + place],
                        &inverse[place * 7..(place + 1) * 7],
                    );
                }
                for (column, value) in product.iter().enumerate() {
                    prop_assert!((value - f64::from(row == column)).abs() < 1e-11);
                    prop_assert_eq!(inverse[row * 7 + column], inverse[column * 7 + row]);
                }
            }
        }

        #[test]
        fn a_matrix_of_too_few_independent_rows_has_none(
            rows in proptest::collection::vec(proptest::collection::vec(-3_i32..3, 7), 1..7),
            copies in 1..9,
        ) {
            let rows: Vec<Vec<f64>> = rows
                .iter()
                .flat_map(|row| (1..=copies).map(|copy| row.iter().map(|v| f64::from(v * copy)).collect()))
                .collect();
            prop_assert_eq!(inverted(&gram(&rows, 7), 7), None);
        }
    }

    #[test]
    fn a_matrix_of_no_rows_has_the_empty_inverse() {
        assert_eq!(inverted(&[], 0), Some(vec![]));
    }
}
