//! The strongest entries of each row.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use whyrec_core::aggregate;

use crate::arguments::{self, count, vector};
use crate::run::run;

/// What makes an entry strong.
#[pyclass(
    eq,
    frozen,
    hash,
    from_py_object,
    module = "whyrec._native",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strength {
    /// A large absolute value; every entry may be chosen.
    Absolute,
    /// A large value; only entries above 0 may be chosen.
    Positive,
    /// A small value; only entries below 0 may be chosen.
    Negative,
}

impl Strength {
    /// The same for the core.
    pub fn core(self) -> aggregate::Strength {
        match self {
            Self::Absolute => aggregate::Strength::Absolute,
            Self::Positive => aggregate::Strength::Positive,
            Self::Negative => aggregate::Strength::Negative,
        }
    }
}

type Chosen<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>);

/// Choose the m strongest entries of each row.
#[pyfunction]
#[pyo3(signature = (offsets, values, m, strength, *, threads=None))]
pub fn strongest<'py>(
    py: Python<'py>,
    offsets: &Bound<'py, PyAny>,
    values: &Bound<'py, PyAny>,
    m: &Bound<'py, PyAny>,
    strength: Strength,
    threads: Option<&Bound<'py, PyAny>>,
) -> PyResult<Chosen<'py>> {
    let offsets = vector::<i64>("offsets", offsets)?;
    let values = vector::<f64>("values", values)?;
    let m = count("m", m)?;
    let threads = arguments::threads(threads)?;
    let (offsets, values) = (offsets.as_slice()?, values.as_slice()?);
    let steps = values.len().saturating_add(offsets.len());
    let chosen = run(py, steps, threads, |workers| {
        aggregate::strongest(offsets, values, m, strength.core(), workers)
    })?;
    Ok((
        chosen.offsets.into_pyarray(py),
        chosen.positions.into_pyarray(py),
    ))
}
