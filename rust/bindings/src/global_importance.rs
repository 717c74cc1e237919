//! How often, how much and in which direction each key contributes.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use whyrec_core::aggregate::GlobalImportance;

use crate::arguments::{self, size, vector};
use crate::run::run;

/// Counts, sums and sums of absolute values.
pub type State<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
);

/// Accumulate contributions, each with its key.
#[pyfunction]
#[pyo3(signature = (keys, values, n_keys, *, threads=None))]
pub fn global_importance<'py>(
    py: Python<'py>,
    keys: &Bound<'py, PyAny>,
    values: &Bound<'py, PyAny>,
    n_keys: &Bound<'py, PyAny>,
    threads: Option<&Bound<'py, PyAny>>,
) -> PyResult<State<'py>> {
    let keys = vector::<i32>("keys", keys)?;
    let values = vector::<f64>("values", values)?;
    let n_keys = size("n_keys", n_keys)?;
    let threads = arguments::threads(threads)?;
    let (keys, values) = (keys.as_slice()?, values.as_slice()?);
    let steps = values.len().saturating_add(n_keys);
    let state = run(py, steps, threads, |workers| {
        GlobalImportance::of(keys, values, n_keys, workers)
    })?;
    Ok(state_of(py, state))
}

/// The state as arrays.
pub fn state_of(py: Python<'_>, state: GlobalImportance) -> State<'_> {
    (
        state.counts.into_pyarray(py),
        state.sums.into_pyarray(py),
        state.absolute_sums.into_pyarray(py),
    )
}
