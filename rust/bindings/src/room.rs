//! Room for results, made by NumPy or brought by the caller.
//!
//! NumPy asks the system for huge pages, which Rust's allocator does not. To write to large results
//! for the first time then takes a fifth of the time; to write over those of an earlier call takes
//! none of it.

use std::ops::Range;

use numpy::ndarray::{Dimension, IntoDimension, Ix1};
use numpy::{
    Element, PyArray, PyArray1, PyArrayMethods, PyReadwriteArray, PyUntypedArrayMethods, dtype,
};
use pyo3::exceptions::{PyMemoryError, PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict, PyTuple};

use crate::arguments::{Values, checked};
use crate::errors::argument_error;

/// Room for numbers that Rust writes and Python owns.
pub struct Room<'py, T: Element, D: Dimension = Ix1> {
    array: Bound<'py, PyArray<T, D>>,
    numbers: PyReadwriteArray<'py, T, D>,
    /// What the caller knows the room by; None for room that was made.
    name: Option<&'static str>,
}

impl<'py, T: Element, D: Dimension> Room<'py, T, D> {
    /// Make room for numbers; what they are means nothing until they are written.
    pub fn new(py: Python<'py>, shape: impl IntoDimension<Dim = D>) -> PyResult<Self> {
        let shape = shape.into_dimension();
        let empty = py.import("numpy")?.getattr("empty")?;
        let sizes = PyTuple::new(py, shape.slice())?;
        let made = empty.call1((sizes, dtype::<T>(py))).map_err(|error| {
            // So NumPy refuses what no machine has.
            if error.is_instance_of::<PyValueError>(py)
                || error.is_instance_of::<PyOverflowError>(py)
            {
                let product = |bytes: usize, size: &usize| bytes.saturating_mul(*size);
                let bytes = shape.slice().iter().fold(size_of::<T>(), product);
                return PyMemoryError::new_err(format!("not enough memory for {bytes} bytes"));
            }
            error
        })?;
        let array = made.cast_into::<PyArray<T, D>>()?;
        let numbers = array.try_readwrite()?;
        Ok(Self {
            array,
            numbers,
            name: None,
        })
    }

    /// Take an array of the caller's to write over, or make one where there is none.
    pub fn over(
        py: Python<'py>,
        name: &'static str,
        out: Option<&Bound<'py, PyAny>>,
        shape: impl IntoDimension<Dim = D>,
    ) -> PyResult<Self> {
        let Some(out) = out else {
            return Self::new(py, shape);
        };
        let shape = shape.into_dimension();
        let array = checked::<T, D>(name, out, shape.ndim())?;
        if array.shape() != shape.slice() {
            let (expected, found) = (PyTuple::new(py, shape.slice())?, out.getattr("shape")?);
            return Err(argument_error(
                py,
                format!("{name}: expected shape {expected}, got {found}"),
            ));
        }
        let writable: bool = out.getattr("flags")?.getattr("writeable")?.extract()?;
        if !writable {
            return Err(argument_error(
                py,
                format!("{name}: the array is read-only"),
            ));
        }
        let Ok(numbers) = array.try_readwrite() else {
            return Err(shared(py, name));
        };
        Ok(Self {
            array: array.clone(),
            numbers,
            name: Some(name),
        })
    }

    /// Fail if the room is the caller's and has bytes in common with something else.
    ///
    /// Arrays made of one another are told apart when they are borrowed, but not those which came
    /// by way of something else, such as a tensor.
    pub fn check_apart(&self, py: Python<'_>, others: &[Range<usize>]) -> PyResult<()> {
        let own = self.bytes();
        let overlap = |other: &Range<usize>| own.start.max(other.start) < own.end.min(other.end);
        match self.name {
            Some(name) if others.iter().any(overlap) => Err(shared(py, name)),
            _ => Ok(()),
        }
    }

    /// Where in memory the numbers are.
    pub fn bytes(&self) -> Range<usize> {
        bytes(&self.array)
    }

    /// The numbers, to be written.
    pub fn as_slice_mut(&mut self) -> PyResult<&mut [T]> {
        Ok(self.numbers.as_slice_mut()?)
    }

    /// Hand out all numbers.
    pub fn array(self) -> Bound<'py, PyArray<T, D>> {
        self.array
    }
}

impl<'py, T: Element> Room<'py, T> {
    /// Hand out the first `count` numbers; the memory of the others is given back.
    ///
    /// All of the caller's room is handed out: how much of it means something is for others to say.
    pub fn cut(self, count: usize) -> PyResult<Bound<'py, PyArray1<T>>> {
        let Self {
            array,
            numbers,
            name,
        } = self;
        drop(numbers);
        if name.is_none() && count < array.len() {
            let py = array.py();
            let unchecked: Bound<'_, PyDict> = [("refcheck", false)].into_py_dict(py)?;
            array.call_method("resize", (count,), Some(&unchecked))?;
        }
        Ok(array)
    }
}

impl<T: Element, D: Dimension> Values<'_, T, D> {
    /// Where in memory the values are.
    pub fn bytes(&self) -> Range<usize> {
        bytes(self.array())
    }
}

fn bytes<T: Element, D: Dimension>(array: &Bound<'_, PyArray<T, D>>) -> Range<usize> {
    let start = array.data() as usize;
    start..start + array.len() * size_of::<T>()
}

fn shared(py: Python<'_>, name: &str) -> PyErr {
    let message = "shares memory with another argument, or is in use by another call";
    argument_error(py, format!("{name}: {message}"))
}
