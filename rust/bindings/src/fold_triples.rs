//! Contributions that come one by one, summed by row and group.

use numpy::PyArray2;
use pyo3::prelude::*;
use whyrec_core::aggregate::{self, Triples};

use crate::arguments::{self, size, vector};
use crate::room::Room;
use crate::run::run;

/// Sum entries by row and group.
#[pyfunction]
#[pyo3(signature = (rows, groups, values, n_rows, n_groups, *, out=None, threads=None))]
#[allow(clippy::too_many_arguments)]
pub fn fold_triples<'py>(
    rows: &Bound<'py, PyAny>,
    groups: &Bound<'py, PyAny>,
    values: &Bound<'py, PyAny>,
    n_rows: &Bound<'py, PyAny>,
    n_groups: &Bound<'py, PyAny>,
    out: Option<&Bound<'py, PyAny>>,
    threads: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let py = rows.py();
    let rows = vector::<i32>("rows", rows)?;
    let groups = vector::<i32>("groups", groups)?;
    let values = vector::<f64>("values", values)?;
    let (n_rows, n_groups) = (size("n_rows", n_rows)?, size("n_groups", n_groups)?);
    let threads = arguments::threads(threads)?;
    let mut room = Room::over(py, "out", out, [n_rows, n_groups])?;
    room.check_apart(py, &[rows.bytes(), groups.bytes(), values.bytes()])?;
    let (rows, groups, values) = (rows.as_slice()?, groups.as_slice()?, values.as_slice()?);
    let sums = room.as_slice_mut()?;
    let steps = values.len().saturating_add(sums.len());
    run(py, steps, threads, |workers| {
        let triples = Triples::new(rows, groups, values)?;
        aggregate::fold_triples(triples, n_rows, n_groups, sums, workers)
    })?;
    Ok(room.array())
}
