//! The catalog's vectors and biases, kept in Rust.

use pyo3::prelude::*;

use crate::arguments::{matrix, vector};
use crate::run::run;

/// Item vectors and biases, checked once and then owned.
#[pyclass(frozen, module = "whyrec._native")]
pub struct ItemIndex(whyrec_core::ItemIndex);

impl ItemIndex {
    /// The index itself.
    pub fn core(&self) -> &whyrec_core::ItemIndex {
        &self.0
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
