//! The k best items of every query.

use numpy::ndarray::Ix1;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use whyrec_core::{Filters, ItemSets, Kernel};

use crate::arguments::{self, Values, count, matrix, vector};
use crate::errors::argument_error;
use crate::item_index::ItemIndex;
use crate::run::run;

type Answer<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<f32>>,
);

/// Find the k best items of each query.
#[pyfunction]
#[pyo3(signature = (
    index, queries, k, *, excluded_offsets=None, excluded_items=None, only_offsets=None,
    only_items=None, threads=None, scalar=false
))]
#[allow(clippy::too_many_arguments)]
pub fn top_k<'py>(
    py: Python<'py>,
    index: &Bound<'py, ItemIndex>,
    queries: &Bound<'py, PyAny>,
    k: &Bound<'py, PyAny>,
    excluded_offsets: Option<&Bound<'py, PyAny>>,
    excluded_items: Option<&Bound<'py, PyAny>>,
    only_offsets: Option<&Bound<'py, PyAny>>,
    only_items: Option<&Bound<'py, PyAny>>,
    threads: Option<&Bound<'py, PyAny>>,
    scalar: bool,
) -> PyResult<Answer<'py>> {
    let index = index.get().core();
    let queries = matrix::<f32>("queries", queries)?;
    let (rows, dimension) = queries.shape();
    if dimension != index.dimension() {
        return Err(argument_error(
            py,
            format!(
                "queries: expected {} columns, the dimension of the items, got {dimension}",
                index.dimension()
            ),
        ));
    }
    let k = count("k", k)?;
    let threads = arguments::threads(threads)?;
    let excluded = Sets::new(
        py,
        ["excluded_offsets", "excluded_items"],
        excluded_offsets,
        excluded_items,
    )?;
    let only = Sets::new(py, ["only_offsets", "only_items"], only_offsets, only_items)?;
    let filters = Filters {
        excluded: excluded.as_ref().map(Sets::view).transpose()?,
        only: only.as_ref().map(Sets::view).transpose()?,
    };
    let queries = queries.as_slice()?;
    let kernel = if scalar {
        Kernel::scalar()
    } else {
        Kernel::fastest()
    };
    let steps = queries
        .len()
        .saturating_add(rows)
        .saturating_mul(index.len());
    let answer = run(py, steps, threads, |workers| {
        whyrec_core::top_k(index, queries, rows, k, filters, kernel, workers)
    })?;
    Ok((
        answer.offsets.into_pyarray(py),
        answer.items.into_pyarray(py),
        answer.scores.into_pyarray(py),
    ))
}

/// Item sets as they come from Python: without offsets they are one set for all queries.
struct Sets<'py> {
    offsets: Option<Values<'py, i64, Ix1>>,
    items: Values<'py, i32, Ix1>,
}

impl<'py> Sets<'py> {
    fn new(
        py: Python<'py>,
        [offsets_name, items_name]: [&str; 2],
        offsets: Option<&Bound<'py, PyAny>>,
        items: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Self>> {
        match (offsets, items) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(argument_error(
                py,
                format!("{offsets_name} came without {items_name}"),
            )),
            (offsets, Some(items)) => Ok(Some(Self {
                offsets: offsets
                    .map(|offsets| vector(offsets_name, offsets))
                    .transpose()?,
                items: vector(items_name, items)?,
            })),
        }
    }

    fn view(&self) -> PyResult<ItemSets<'_>> {
        let items = self.items.as_slice()?;
        Ok(match &self.offsets {
            None => ItemSets::Shared(items),
            Some(offsets) => ItemSets::PerQuery {
                offsets: offsets.as_slice()?,
                items,
            },
        })
    }
}
