//! Shapley values from the coalitions of random orders.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use whyrec_core::shapley;

use crate::arguments::{self, vector};
use crate::plan::PlanArrays;
use crate::run::run;

type Means<'py> = (
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
);

/// Add what planned quartets say to what is known.
#[pyfunction]
#[pyo3(signature = (
    n_players, keys, first, counts, seed, values, base_values, full_values, contributions,
    squared_deviations, *, threads=None
))]
#[allow(clippy::too_many_arguments)]
pub fn permutation_shapley<'py>(
    py: Python<'py>,
    n_players: &Bound<'py, PyAny>,
    keys: &Bound<'py, PyAny>,
    first: &Bound<'py, PyAny>,
    counts: &Bound<'py, PyAny>,
    seed: &Bound<'py, PyAny>,
    values: &Bound<'py, PyAny>,
    base_values: &Bound<'py, PyAny>,
    full_values: &Bound<'py, PyAny>,
    contributions: &Bound<'py, PyAny>,
    squared_deviations: &Bound<'py, PyAny>,
    threads: Option<&Bound<'py, PyAny>>,
) -> PyResult<Means<'py>> {
    let arrays = PlanArrays::take(n_players, keys, first, counts, seed)?;
    let values = vector::<f64>("values", values)?;
    let base_values = vector::<f64>("base_values", base_values)?;
    let full_values = vector::<f64>("full_values", full_values)?;
    let contributions = vector::<f64>("contributions", contributions)?;
    let squared_deviations = vector::<f64>("squared_deviations", squared_deviations)?;
    let threads = arguments::threads(threads)?;
    let parts = arrays.parts()?;
    let (values, base_values) = (values.as_slice()?, base_values.as_slice()?);
    let (full_values, contributions) = (full_values.as_slice()?, contributions.as_slice()?);
    let squared_deviations = squared_deviations.as_slice()?;
    let steps = parts.steps(|_| 16);
    let means = run(py, steps, threads, |workers| {
        shapley::permutation_shapley(
            &parts.plan()?,
            values,
            base_values,
            full_values,
            contributions,
            squared_deviations,
            workers,
        )
    })?;
    Ok((
        means.contributions.into_pyarray(py),
        means.squared_deviations.into_pyarray(py),
        means.standard_errors.into_pyarray(py),
    ))
}
