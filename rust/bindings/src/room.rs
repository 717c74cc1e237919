//! Room for results, made by NumPy.
//!
//! NumPy asks the system for huge pages, which Rust's allocator does not. To write to large results
//! for the first time then takes a fifth of the time.

use numpy::{Element, PyArray1, PyArrayMethods, PyReadwriteArray1, PyUntypedArrayMethods, dtype};
use pyo3::exceptions::{PyMemoryError, PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

/// Room for numbers that Rust writes and Python owns.
pub struct Room<'py, T: Element> {
    array: Bound<'py, PyArray1<T>>,
    numbers: PyReadwriteArray1<'py, T>,
}

impl<'py, T: Element> Room<'py, T> {
    /// Make room for `count` numbers; what they are means nothing until they are written.
    pub fn new(py: Python<'py>, count: usize) -> PyResult<Self> {
        let empty = py.import("numpy")?.getattr("empty")?;
        let made = empty.call1((count, dtype::<T>(py))).map_err(|error| {
            // So NumPy refuses what no machine has.
            if error.is_instance_of::<PyValueError>(py)
                || error.is_instance_of::<PyOverflowError>(py)
            {
                let bytes = count.saturating_mul(size_of::<T>());
                return PyMemoryError::new_err(format!("not enough memory for {bytes} bytes"));
            }
            error
        })?;
        let array = made.cast_into::<PyArray1<T>>()?;
        let numbers = array.try_readwrite()?;
        Ok(Self { array, numbers })
    }

    /// The numbers, to be written.
    pub fn as_slice_mut(&mut self) -> PyResult<&mut [T]> {
        Ok(self.numbers.as_slice_mut()?)
    }

    /// Hand out the first `count` numbers; the memory of the others is given back.
    pub fn cut(self, count: usize) -> PyResult<Bound<'py, PyArray1<T>>> {
        let Self { array, numbers } = self;
        drop(numbers);
        if count < array.len() {
            let py = array.py();
            let unchecked: Bound<'_, PyDict> = [("refcheck", false)].into_py_dict(py)?;
            array.call_method("resize", (count,), Some(&unchecked))?;
        }
        Ok(array)
    }

    /// Hand out all numbers.
    pub fn array(self) -> Bound<'py, PyArray1<T>> {
        self.array
    }
}
