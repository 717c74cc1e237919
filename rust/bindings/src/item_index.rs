//! The catalog's vectors and biases, kept in Rust.

use std::path::PathBuf;

use pyo3::prelude::*;

use crate::arguments::{matrix, vector};
use crate::errors::argument_error;
use crate::run::run;

/// Item vectors and biases, checked once and then owned.
#[pyclass(frozen, module = "whyrec._native")]
pub struct ItemIndex(whyrec_core::ItemIndex);

impl ItemIndex {
    /// The index itself.
    pub fn core(&self) -> &whyrec_core::ItemIndex {
        &self.0
    }

    /// Fail unless an argument has a column for each dimension.
    pub fn check_columns(&self, py: Python<'_>, name: &str, found: usize) -> PyResult<()> {
        if found == self.0.dimension() {
            return Ok(());
        }
        let expected = self.0.dimension();
        let message =
            format!("{name}: expected {expected} columns, the dimension of the items, got {found}");
        Err(argument_error(py, message))
    }
}

#[pymethods]
impl ItemIndex {
    #[new]
    fn new(
        py: Python<'_>,
        vectors: &Bound<'_, PyAny>,
        biases: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let vectors = matrix::<f32>("vectors", vectors)?;
        let biases = vector::<f32>("biases", biases)?;
        let (n_items, dimension) = vectors.shape();
        let (vectors, biases) = (vectors.as_slice()?, biases.as_slice()?);
        run(py, vectors.len(), None, |workers| {
            whyrec_core::ItemIndex::new(vectors, n_items, dimension, biases, workers)
        })
        .map(Self)
    }

    /// An index with more items behind those that there are.
    fn appended(
        &self,
        py: Python<'_>,
        vectors: &Bound<'_, PyAny>,
        biases: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let vectors = matrix::<f32>("vectors", vectors)?;
        let biases = vector::<f32>("biases", biases)?;
        let (added, dimension) = vectors.shape();
        self.check_columns(py, "vectors", dimension)?;
        let (vectors, biases) = (vectors.as_slice()?, biases.as_slice()?);
        run(py, self.steps(added), None, |workers| {
            self.0.appended(vectors, added, biases, workers)
        })
        .map(Self)
    }

    /// An index in which some items have other vectors and biases.
    fn replaced(
        &self,
        py: Python<'_>,
        items: &Bound<'_, PyAny>,
        vectors: &Bound<'_, PyAny>,
        biases: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let items = vector::<i32>("items", items)?;
        let vectors = matrix::<f32>("vectors", vectors)?;
        let biases = vector::<f32>("biases", biases)?;
        self.check_columns(py, "vectors", vectors.shape().1)?;
        let (items, vectors, biases) = (items.as_slice()?, vectors.as_slice()?, biases.as_slice()?);
        run(py, self.steps(items.len()), None, |workers| {
            self.0.replaced(items, vectors, biases, workers)
        })
        .map(Self)
    }

    /// Write the index to a file.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        run(py, usize::MAX, None, |workers| self.0.save(&path, workers))
    }

    /// Map a file that `save` wrote.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        run(py, 0, None, |_| whyrec_core::ItemIndex::open(&path)).map(Self)
    }

    /// Read the file whole and compare checksums.
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        run(py, usize::MAX, None, |workers| self.0.verify(workers))
    }

    /// How many items there are.
    #[getter]
    fn n_items(&self) -> usize {
        self.0.len()
    }

    /// How many values the vector of an item has.
    #[getter]
    fn dimension(&self) -> usize {
        self.0.dimension()
    }
}

impl ItemIndex {
    /// About how much work it is to add rows: now and then all are joined.
    fn steps(&self, added: usize) -> usize {
        (self.0.len().saturating_add(added)).saturating_mul(self.0.dimension() + 1)
    }
}
