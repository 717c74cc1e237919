//! The one place where the GIL is released and signals are answered.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use whyrec_core::{Error, Workers, supervise};

use crate::errors::exception;

/// Elementary steps (multiply-adds, say) that take well under a millisecond: such work is done at
/// once on this thread, because to wake others would take longer.
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
    let small = steps < SMALL;
    let threads = if small { Some(1) } else { threads };
    let stop = AtomicBool::new(false);
    let mut signal = None;
    let result = py.detach(|| {
        supervise(
            small,
            || work(&Workers::new(threads, &stop)?),
            || {
                if let Err(raised) = Python::attach(|py| py.check_signals()) {
                    signal.get_or_insert(raised);
                    stop.store(true, Ordering::Relaxed);
                }
            },
        )
    });
    match signal {
        Some(raised) => Err(raised),
        None => result.map_err(|error| exception(py, &error)),
    }
}
