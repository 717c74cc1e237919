//! Arguments of Python, checked with messages that say what came and what was expected.

use numpy::ndarray::{Dimension, Ix1, Ix2};
use numpy::{
    Element, PyArray, PyArrayDescrMethods, PyArrayMethods, PyReadonlyArray, PyUntypedArray,
    PyUntypedArrayMethods, dtype,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::errors::argument_error;

/// Values of an array that Python owns, borrowed for the length of a call.
pub struct Values<'py, T: Element, D: Dimension>(PyReadonlyArray<'py, T, D>);

impl<T: Element, D: Dimension> Values<'_, T, D> {
    /// All values, row by row.
    pub fn as_slice(&self) -> PyResult<&[T]> {
        Ok(self.0.as_slice()?)
    }
}

impl<'py, T: Element, D: Dimension> Values<'py, T, D> {
    /// The array that was borrowed.
    pub fn array(&self) -> &Bound<'py, PyArray<T, D>> {
        &self.0
    }
}

impl<T: Element> Values<'_, T, Ix2> {
    /// How many rows there are, and how many values in each.
    pub fn shape(&self) -> (usize, usize) {
        let shape = self.0.shape();
        (shape[0], shape[1])
    }
}

/// Take a C-contiguous array [n] of exactly this dtype.
pub fn vector<'py, T: Element>(
    name: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<Values<'py, T, Ix1>> {
    array(name, value, 1)
}

/// Take a C-contiguous array [n, m] of exactly this dtype.
pub fn matrix<'py, T: Element>(
    name: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<Values<'py, T, Ix2>> {
    array(name, value, 2)
}

fn array<'py, T: Element, D: Dimension>(
    name: &str,
    value: &Bound<'py, PyAny>,
    dimensions: usize,
) -> PyResult<Values<'py, T, D>> {
    match checked::<T, D>(name, value, dimensions)?.try_readonly() {
        Ok(values) => Ok(Values(values)),
        Err(error) => Err(argument_error(value.py(), format!("{name}: {error}"))),
    }
}

/// Take a C-contiguous array of exactly this dtype and number of dimensions, not yet borrowed.
pub fn checked<'a, 'py, T: Element, D: Dimension>(
    name: &str,
    value: &'a Bound<'py, PyAny>,
    dimensions: usize,
) -> PyResult<&'a Bound<'py, PyArray<T, D>>> {
    let py = value.py();
    let wanted = dtype::<T>(py);
    let Ok(untyped) = value.cast::<PyUntypedArray>() else {
        return Err(PyTypeError::new_err(format!(
            "{name}: expected a NumPy array of {wanted}, got {}",
            value.get_type().name()?
        )));
    };
    if !untyped.dtype().is_equiv_to(&wanted) {
        return Err(argument_error(
            py,
            format!("{name}: expected dtype {wanted}, got {}", untyped.dtype()),
        ));
    }
    if untyped.ndim() != dimensions {
        return Err(argument_error(
            py,
            format!(
                "{name}: expected {dimensions} dimension{}, got {} (shape {})",
                if dimensions == 1 { "" } else { "s" },
                untyped.ndim(),
                value.getattr("shape")?
            ),
        ));
    }
    let aligned: bool = value.getattr("flags")?.getattr("aligned")?.extract()?;
    if !untyped.is_c_contiguous() || !aligned {
        return Err(argument_error(
            py,
            format!("{name}: expected a C-contiguous, aligned array; use numpy.ascontiguousarray"),
        ));
    }
    Ok(value.cast::<PyArray<T, D>>()?)
}

/// Take a whole number from 1 on; one too large for the machine means as many as there can be.
pub fn count(name: &str, value: &Bound<'_, PyAny>) -> PyResult<usize> {
    whole_number(name, value, 1)
}

/// Take a whole number from 0 on; one too large for the machine means as many as there can be.
pub fn size(name: &str, value: &Bound<'_, PyAny>) -> PyResult<usize> {
    whole_number(name, value, 0)
}

fn whole_number(name: &str, value: &Bound<'_, PyAny>, least: usize) -> PyResult<usize> {
    let py = value.py();
    let Ok(number) = value.call_method0("__index__") else {
        return Err(PyTypeError::new_err(format!(
            "{name}: expected a whole number, got {}",
            value.get_type().name()?
        )));
    };
    if number.lt(least)? {
        return Err(argument_error(
            py,
            format!("{name} must be at least {least}, got {number}"),
        ));
    }
    Ok(number.extract().unwrap_or(usize::MAX))
}

/// Take the number of threads, if there is one.
pub fn threads(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<usize>> {
    value.map(|value| count("threads", value)).transpose()
}
