//! The k best items of every query.

use numpy::ndarray::{Ix1, Ix2};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use whyrec_core::{Filters, ItemSets, Kernel, Mask, MaskRows, Path, Search};

use crate::arguments::{self, Values, count, matrix, vector};
use crate::errors::argument_error;
use crate::item_index::ItemIndex;
use crate::run::run;

/// Offsets, items and scores.
pub type Answer<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<f32>>,
);

/// Find the k best items of each query.
#[pyfunction]
#[pyo3(signature = (
    index, queries, k, *, excluded_offsets=None, excluded_items=None, only_offsets=None,
    only_items=None, mask=None, codes=None, threads=None, scalar=false
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
    mask: Option<&Bound<'py, PyAny>>,
    codes: Option<bool>,
    threads: Option<&Bound<'py, PyAny>>,
    scalar: bool,
) -> PyResult<Answer<'py>> {
    let native = index.get();
    let index = native.core();
    let queries = matrix::<f32>("queries", queries)?;
    let (rows, dimension) = queries.shape();
    native.check_columns(py, "queries", dimension)?;
    let k = count("k", k)?;
    let threads = arguments::threads(threads)?;
    let excluded = Sets::new(
        py,
        ["excluded_offsets", "excluded_items"],
        excluded_offsets,
        excluded_items,
    )?;
    let only = Sets::new(py, ["only_offsets", "only_items"], only_offsets, only_items)?;
    let mask = mask
        .map(|mask| Bytes::new(py, mask, index.len()))
        .transpose()?;
    let filters = Filters {
        excluded: excluded.as_ref().map(Sets::view).transpose()?,
        only: only.as_ref().map(Sets::view).transpose()?,
        mask: mask.as_ref().map(Bytes::view).transpose()?,
    };
    let path = match codes {
        None => Path::Fastest,
        Some(true) => Path::Codes,
        Some(false) => Path::Rows,
    };
    let queries = queries.as_slice()?;
    let kernel = if scalar {
        Kernel::scalar()
    } else {
        Kernel::fastest()
    };
    let search = Search {
        k,
        filters,
        path,
        kernel,
    };
    let steps = queries
        .len()
        .saturating_add(rows)
        .saturating_mul(index.len());
    let answer = run(py, steps, threads, |workers| {
        whyrec_core::top_k(index, queries, rows, &search, workers)
    })?;
    Ok((
        answer.offsets.into_pyarray(py),
        answer.items.into_pyarray(py),
        answer.scores.into_pyarray(py),
    ))
}

/// A mask as it comes from Python: one row for all queries, or one for each.
enum Bytes<'py> {
    Shared(Values<'py, u8, Ix1>),
    PerQuery(Values<'py, u8, Ix2>),
}

impl<'py> Bytes<'py> {
    fn new(py: Python<'py>, mask: &Bound<'py, PyAny>, items: usize) -> PyResult<Self> {
        let dimensions: usize = mask
            .getattr("ndim")
            .and_then(|ndim| ndim.extract())
            .unwrap_or(1);
        if dimensions < 2 {
            return vector("mask", mask).map(Self::Shared);
        }
        let rows = matrix("mask", mask)?;
        match rows.shape().1 {
            found if found != items => Err(argument_error(
                py,
                format!("mask: expected {items} columns, one for each item, got {found}"),
            )),
            _ => Ok(Self::PerQuery(rows)),
        }
    }

    fn view(&self) -> PyResult<Mask<'_>> {
        let (bytes, rows) = match self {
            Self::Shared(mask) => (mask.as_slice()?, MaskRows::Shared),
            Self::PerQuery(mask) => (mask.as_slice()?, MaskRows::PerQuery),
        };
        Ok(Mask { bytes, rows })
    }
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
