//! Sums of chosen rows of a sparse matrix.

use numpy::{IntoPyArray, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use whyrec_core::SparseRows;

use crate::arguments::{self, size, vector};
use crate::run::run;

/// Sum chosen rows of a sparse matrix.
#[pyfunction]
#[pyo3(signature = (offsets, columns, weights, n_columns, chosen, rows, *, threads=None))]
#[allow(clippy::too_many_arguments)]
pub fn sum_sparse_rows<'py>(
    py: Python<'py>,
    offsets: &Bound<'py, PyAny>,
    columns: &Bound<'py, PyAny>,
    weights: &Bound<'py, PyAny>,
    n_columns: &Bound<'py, PyAny>,
    chosen: &Bound<'py, PyAny>,
    rows: &Bound<'py, PyAny>,
    threads: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let offsets = vector::<i64>("offsets", offsets)?;
    let columns = vector::<i32>("columns", columns)?;
    let weights = vector::<f32>("weights", weights)?;
    let n_columns = size("n_columns", n_columns)?;
    let chosen = vector::<i64>("chosen", chosen)?;
    let rows = vector::<i32>("rows", rows)?;
    let threads = arguments::threads(threads)?;
    let (offsets, columns, weights) = (
        offsets.as_slice()?,
        columns.as_slice()?,
        weights.as_slice()?,
    );
    let (chosen, rows) = (chosen.as_slice()?, rows.as_slice()?);
    let n_sums = chosen.len().saturating_sub(1);
    let steps = n_columns.saturating_mul(n_sums.saturating_add(rows.len()));
    let sums = run(py, steps, threads, |workers| {
        let matrix = SparseRows::new(offsets, columns, weights, n_columns)?;
        whyrec_core::sum_sparse_rows(matrix, chosen, rows, workers)
    })?;
    sums.into_pyarray(py).reshape([n_sums, n_columns])
}
