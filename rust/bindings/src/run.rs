//! The one place where the GIL is released and signals are answered.

use pyo3::prelude::*;
use whyrec_core::{Error, Workers, supervise};

use crate::errors::exception;

/// Elementary steps (multiply-adds, say) that take well under a millisecond: such work is done on
/// this thread alone, because to wake others would take longer.
const SMALL: usize = 1 << 21;

/// Do the work of a verb without the GIL; Ctrl-C stops it.
///
/// `steps` says about how many elementary steps it takes. A panic becomes an `InternalError`.
pub fn run<T: Send>(
    py: Python<'_>,
    steps: usize,
    threads: Option<usize>,
    work: impl FnOnce(&Workers) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let threads = if steps < SMALL { Some(1) } else { threads };
    let mut signal = None;
    let result = py.detach(|| {
        let goes_on = || match Python::attach(|py| py.check_signals()) {
            Ok(()) => true,
            Err(raised) => {
                signal.get_or_insert(raised);
                false
            }
        };
        supervise(threads, goes_on, work)
    });
    match signal {
        Some(raised) => Err(raised),
        None => result.map_err(|error| exception(py, &error)),
    }
}
