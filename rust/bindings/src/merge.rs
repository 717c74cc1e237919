//! Answers of the shards of a catalog, merged to that of the whole.

use numpy::IntoPyArray;
use numpy::ndarray::Ix1;
use pyo3::prelude::*;
use whyrec_core::Shard;

use crate::arguments::{self, Values, count, vector};
use crate::run::run;
use crate::top_k::Answer;

type Arrays<'py> = (
    Values<'py, i64, Ix1>,
    Values<'py, i32, Ix1>,
    Values<'py, f32, Ix1>,
);

/// Choose the k best items of each query from the answers of all shards.
#[pyfunction]
#[pyo3(signature = (shards, k, *, threads=None))]
pub fn merge<'py>(
    py: Python<'py>,
    shards: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>)>,
    k: &Bound<'py, PyAny>,
    threads: Option<&Bound<'py, PyAny>>,
) -> PyResult<Answer<'py>> {
    let arrays = |(offsets, items, scores): &(_, _, _)| {
        Ok((
            vector("offsets", offsets)?,
            vector("items", items)?,
            vector("scores", scores)?,
        ))
    };
    let arrays: Vec<Arrays> = shards.iter().map(arrays).collect::<PyResult<_>>()?;
    let k = count("k", k)?;
    let threads = arguments::threads(threads)?;
    let mut views = Vec::new();
    for (offsets, items, scores) in &arrays {
        views.push(Shard {
            offsets: offsets.as_slice()?,
            items: items.as_slice()?,
            scores: scores.as_slice()?,
        });
    }
    let steps = views
        .iter()
        .map(|shard| shard.items.len() + shard.offsets.len())
        .sum();
    let answer = run(py, steps, threads, |workers| {
        whyrec_core::merge(&views, k, workers)
    })?;
    Ok((
        answer.offsets.into_pyarray(py),
        answer.items.into_pyarray(py),
        answer.scores.into_pyarray(py),
    ))
}
