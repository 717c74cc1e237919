//! Shapley values from all coalitions.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use whyrec_core::shapley;

use crate::arguments::{self, vector};
use crate::run::run;

/// Reduce the values of all coalitions to Shapley values.
#[pyfunction]
#[pyo3(signature = (n_players, values, *, threads=None))]
pub fn exact_shapley<'py>(
    py: Python<'py>,
    n_players: &Bound<'py, PyAny>,
    values: &Bound<'py, PyAny>,
    threads: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let n_players = vector::<i64>("n_players", n_players)?;
    let values = vector::<f64>("values", values)?;
    let threads = arguments::threads(threads)?;
    let (n_players, values) = (n_players.as_slice()?, values.as_slice()?);
    let steps = values.len().saturating_mul(32);
    run(py, steps, threads, |workers| {
        shapley::exact_shapley(n_players, values, workers)
    })
    .map(|contributions| contributions.into_pyarray(py))
}
