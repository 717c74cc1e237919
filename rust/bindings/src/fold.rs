//! Contributions folded to groups.

use numpy::PyArray1;
use pyo3::prelude::*;
use whyrec_core::aggregate;

use crate::arguments::{self, vector};
use crate::room::Room;
use crate::run::run;

/// Sum the values of each row by group.
#[pyfunction]
#[pyo3(signature = (offsets, groups, values, group_offsets, *, threads=None))]
pub fn fold<'py>(
    py: Python<'py>,
    offsets: &Bound<'py, PyAny>,
    groups: &Bound<'py, PyAny>,
    values: &Bound<'py, PyAny>,
    group_offsets: &Bound<'py, PyAny>,
    threads: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let offsets = vector::<i64>("offsets", offsets)?;
    let groups = vector::<i32>("groups", groups)?;
    let values = vector::<f64>("values", values)?;
    let group_offsets = vector::<i64>("group_offsets", group_offsets)?;
    let threads = arguments::threads(threads)?;
    let (offsets, groups) = (offsets.as_slice()?, groups.as_slice()?);
    let (values, group_offsets) = (values.as_slice()?, group_offsets.as_slice()?);
    // Offsets that cannot be are refused by the core.
    let n_sums = group_offsets.last().map_or(0, |&last| last.max(0) as usize);
    let mut room = Room::new(py, n_sums)?;
    let sums = room.as_slice_mut()?;
    let steps = values.len().saturating_add(offsets.len());
    run(py, steps, threads, |workers| {
        aggregate::fold(offsets, groups, values, group_offsets, sums, workers)
    })?;
    Ok(room.array())
}
