//! Rows of one length, aggregated in one pass.

use numpy::{
    Element, PyArray1, PyArray2, PyArrayDescrMethods, PyArrayMethods, PyUntypedArray,
    PyUntypedArrayMethods, dtype,
};
use pyo3::prelude::*;
use whyrec_core::aggregate::{
    self, Contribution, GlobalImportance, RowKernel, Rows, StrongestGroups, Wanted,
};

use crate::arguments::{self, count, matrix, size, vector};
use crate::global_importance::{State, state_of};
use crate::room::Room;
use crate::run::run;
use crate::strongest::Strength;

type Folded<'py> = Bound<'py, PyArray2<f64>>;
type Groups<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i32>>);
type Aggregated<'py> = (Option<Folded<'py>>, Option<Groups<'py>>, Option<State<'py>>);

/// What is asked of the rows.
struct Asked {
    n_groups: usize,
    folded: bool,
    strongest: Option<(usize, Strength)>,
    importance: bool,
    threads: Option<usize>,
    kernel: RowKernel,
}

/// Fold rows to groups, pick the strongest groups, accumulate importance.
#[pyfunction]
#[pyo3(signature = (
    values, groups, n_groups, *, folded=true, m=None, strength=Strength::Absolute,
    importance=true, threads=None, scalar=false
))]
#[allow(clippy::too_many_arguments)]
pub fn aggregate_rows<'py>(
    values: &Bound<'py, PyAny>,
    groups: &Bound<'py, PyAny>,
    n_groups: &Bound<'py, PyAny>,
    folded: bool,
    m: Option<&Bound<'py, PyAny>>,
    strength: Strength,
    importance: bool,
    threads: Option<&Bound<'py, PyAny>>,
    scalar: bool,
) -> PyResult<Aggregated<'py>> {
    let asked = Asked {
        n_groups: size("n_groups", n_groups)?,
        folded,
        strongest: m
            .map(|m| Ok::<_, PyErr>((count("m", m)?, strength)))
            .transpose()?,
        importance,
        threads: arguments::threads(threads)?,
        kernel: if scalar {
            RowKernel::scalar()
        } else {
            RowKernel::fastest()
        },
    };
    if is_float32(values) {
        aggregate::<f32>(values, groups, &asked)
    } else {
        aggregate::<f64>(values, groups, &asked)
    }
}

fn is_float32(values: &Bound<'_, PyAny>) -> bool {
    let array = values.cast::<PyUntypedArray>();
    array.is_ok_and(|array| array.dtype().is_equiv_to(&dtype::<f32>(values.py())))
}

fn aggregate<'py, T: Contribution + Element>(
    values: &Bound<'py, PyAny>,
    groups: &Bound<'py, PyAny>,
    asked: &Asked,
) -> PyResult<Aggregated<'py>> {
    let py = values.py();
    let values = matrix::<T>("values", values)?;
    let groups = vector::<i32>("groups", groups)?;
    let (n_rows, n_players) = values.shape();
    let n_groups = asked.n_groups;
    let mut folded = asked
        .folded
        .then(|| Room::<f64>::new(py, n_rows.saturating_mul(n_groups)))
        .transpose()?;
    let mut strongest = asked
        .strongest
        .map(|(m, strength)| {
            let most = n_rows.saturating_mul(m.min(n_groups));
            let offsets = Room::<i64>::new(py, n_rows + 1)?;
            Ok::<_, PyErr>((m, strength, offsets, Room::<i32>::new(py, most)?))
        })
        .transpose()?;
    let wanted = Wanted {
        folded: folded.as_mut().map(Room::as_slice_mut).transpose()?,
        strongest: strongest
            .as_mut()
            .map(|(m, strength, offsets, groups)| {
                Ok::<_, PyErr>(StrongestGroups {
                    m: *m,
                    strength: strength.core(),
                    offsets: offsets.as_slice_mut()?,
                    groups: groups.as_slice_mut()?,
                })
            })
            .transpose()?,
        importance: asked.importance,
    };
    let (values, groups) = (values.as_slice()?, groups.as_slice()?);
    let steps = values.len().saturating_add(n_rows.saturating_mul(n_groups));
    let importance: Option<GlobalImportance> = run(py, steps, asked.threads, |workers| {
        let rows = Rows::new(values, n_rows, n_players)?;
        aggregate::aggregate_rows(rows, groups, n_groups, wanted, asked.kernel, workers)
    })?;
    Ok((
        folded
            .map(|room| room.array().reshape([n_rows, n_groups]))
            .transpose()?,
        strongest
            .map(|(_, _, mut offsets, groups)| {
                let end = offsets.as_slice_mut()?[n_rows] as usize;
                Ok::<_, PyErr>((offsets.array(), groups.cut(end)?))
            })
            .transpose()?,
        importance.map(|state| state_of(py, state)),
    ))
}
