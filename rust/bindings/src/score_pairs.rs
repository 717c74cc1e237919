//! The score of given (query, item) pairs.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use whyrec_core::Kernel;

use crate::arguments::{self, matrix, vector};
use crate::item_index::ItemIndex;
use crate::run::run;

/// Score pairs of a query and an item.
#[pyfunction]
#[pyo3(signature = (index, queries, rows, items, *, threads=None, scalar=false))]
#[allow(clippy::too_many_arguments)]
pub fn score_pairs<'py>(
    py: Python<'py>,
    index: &Bound<'py, ItemIndex>,
    queries: &Bound<'py, PyAny>,
    rows: &Bound<'py, PyAny>,
    items: &Bound<'py, PyAny>,
    threads: Option<&Bound<'py, PyAny>>,
    scalar: bool,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let native = index.get();
    let index = native.core();
    let queries = matrix::<f32>("queries", queries)?;
    let (n_queries, dimension) = queries.shape();
    native.check_columns(py, "queries", dimension)?;
    let rows = vector::<i32>("rows", rows)?;
    let items = vector::<i32>("items", items)?;
    let threads = arguments::threads(threads)?;
    let (queries, rows, items) = (queries.as_slice()?, rows.as_slice()?, items.as_slice()?);
    let kernel = if scalar {
        Kernel::scalar()
    } else {
        Kernel::fastest()
    };
    let steps = rows
        .len()
        .saturating_mul(dimension + 1)
        .saturating_add(queries.len());
    run(py, steps, threads, |workers| {
        whyrec_core::score_pairs(index, queries, n_queries, rows, items, kernel, workers)
    })
    .map(|scores| scores.into_pyarray(py))
}
