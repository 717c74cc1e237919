//! Coalitions as the Shapley kernel asks, each with its complement.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use whyrec_core::shapley;

use crate::arguments;
use crate::plan::PlanArrays;
use crate::run::run;

type Coalitions<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<bool>>);

/// Plan pairs of coalitions.
#[pyfunction]
#[pyo3(signature = (n_players, keys, first, counts, seed, *, threads=None))]
pub fn paired_coalitions<'py>(
    py: Python<'py>,
    n_players: &Bound<'py, PyAny>,
    keys: &Bound<'py, PyAny>,
    first: &Bound<'py, PyAny>,
    counts: &Bound<'py, PyAny>,
    seed: &Bound<'py, PyAny>,
    threads: Option<&Bound<'py, PyAny>>,
) -> PyResult<Coalitions<'py>> {
    let arrays = PlanArrays::take(n_players, keys, first, counts, seed)?;
    let threads = arguments::threads(threads)?;
    let parts = arrays.parts()?;
    let steps = parts.steps(|_| 8);
    let coalitions = run(py, steps, threads, |workers| {
        shapley::paired_coalitions(&parts.plan()?, workers)
    })?;
    Ok((
        coalitions.offsets.into_pyarray(py),
        coalitions.cells.into_pyarray(py),
    ))
}
