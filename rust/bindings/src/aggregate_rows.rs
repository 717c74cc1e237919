//! Rows of one length, aggregated in one pass.

use numpy::ndarray::Ix2;
use numpy::{
    Element, PyArray1, PyArray2, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods, dtype,
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

/// Room for the folded rows, the offsets and the groups, where the caller has some.
type Out<'py> = (
    Option<Bound<'py, PyAny>>,
    Option<Bound<'py, PyAny>>,
    Option<Bound<'py, PyAny>>,
);

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
    importance=true, out=(None, None, None), threads=None, scalar=false
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
    out: Out<'py>,
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
        aggregate::<f32>(values, groups, &out, &asked)
    } else {
        aggregate::<f64>(values, groups, &out, &asked)
    }
}

fn is_float32(values: &Bound<'_, PyAny>) -> bool {
    let array = values.cast::<PyUntypedArray>();
    array.is_ok_and(|array| array.dtype().is_equiv_to(&dtype::<f32>(values.py())))
}

fn aggregate<'py, T: Contribution + Element>(
    values: &Bound<'py, PyAny>,
    groups: &Bound<'py, PyAny>,
    out: &Out<'py>,
    asked: &Asked,
) -> PyResult<Aggregated<'py>> {
    let py = values.py();
    let values = matrix::<T>("values", values)?;
    let groups = vector::<i32>("groups", groups)?;
    let (n_rows, n_players) = values.shape();
    let n_groups = asked.n_groups;
    let (folded_out, offsets_out, groups_out) = out;
    let mut folded = asked
        .folded
        .then(|| {
            let shape = [n_rows, n_groups];
            Room::<f64, Ix2>::over(py, "out (folded)", folded_out.as_ref(), shape)
        })
        .transpose()?;
    let mut strongest = asked
        .strongest
        .map(|(m, strength)| {
            let most = n_rows.saturating_mul(m.min(n_groups));
            let offsets = Room::<i64>::over(py, "out (offsets)", offsets_out.as_ref(), n_rows + 1)?;
            let groups = Room::<i32>::over(py, "out (groups)", groups_out.as_ref(), most)?;
            Ok::<_, PyErr>((m, strength, offsets, groups))
        })
        .transpose()?;
    let read = [values.bytes(), groups.bytes()];
    if let Some(folded) = &folded {
        folded.check_apart(py, &read)?;
    }
    if let Some((_, _, offsets, groups)) = &strongest {
        let folded = folded.as_ref().map_or(0..0, Room::bytes);
        let [values, players] = read;
        offsets.check_apart(py, &[values.clone(), players.clone(), folded.clone()])?;
        groups.check_apart(py, &[values, players, folded, offsets.bytes()])?;
    }
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
        folded.map(Room::array),
        strongest
            .map(|(_, _, mut offsets, groups)| {
                let end = offsets.as_slice_mut()?[n_rows] as usize;
                Ok::<_, PyErr>((offsets.array(), groups.cut(end)?))
            })
            .transpose()?,
        importance.map(|state| state_of(py, state)),
    ))
}
