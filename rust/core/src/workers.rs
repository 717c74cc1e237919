//! Threads: how work is shared out, stopped and watched.
//!
//! There is one pool of threads for the process, separate from rayon's global one, so that a host
//! that uses rayon too is never starved by this crate, nor this crate by the host. A forked child
//! inherits no threads; it makes a pool of its own on first use.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{ThreadId, available_parallelism, current};
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::Error;

/// How often [`supervise`] looks at the world outside.
const TICK: Duration = Duration::from_millis(50);

/// The threads that a call may use, and the flag that stops them.
#[derive(Debug, Clone, Copy)]
pub struct Workers<'a> {
    count: usize,
    stop: &'a AtomicBool,
    lookout: Option<&'a Lookout<'a>>,
}

/// Who looks at the world outside, and when that was done last.
struct Lookout<'a> {
    /// The only thread that does.
    thread: ThreadId,
    turn: Mutex<Turn<'a>>,
}

struct Turn<'a> {
    last: Instant,
    goes_on: &'a mut (dyn FnMut() -> bool + Send),
}

impl<'a> Workers<'a> {
    /// Allow `count` threads, or as many as the machine runs at once; work ends early, with
    /// [`Error::Stopped`], once `stop` is true.
    pub fn new(count: Option<usize>, stop: &'a AtomicBool) -> Result<Self, Error> {
        let count = match count {
            Some(0) => {
                return Err(Error::TooSmall {
                    argument: "threads",
                    least: 1,
                    found: 0,
                });
            }
            Some(count) => count,
            None => machine_threads(),
        };
        Ok(Self {
            count,
            stop,
            lookout: None,
        })
    }

    /// Fail if the work was stopped from outside.
    pub(crate) fn go_on(&self) -> Result<(), Error> {
        if let Some(lookout) = self.lookout
            && !lookout.look()
        {
            self.stop.store(true, Ordering::Relaxed);
        }
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        Ok(())
    }

    /// Do every task once, in any order, each worker with a state of its own; return the states.
    ///
    /// Tasks are handed out in their order. Of several failures the one of the earliest task is
    /// returned: all tasks before a failed one have been handed out already, and are finished.
    pub(crate) fn share_out<Task: Send, State: Send>(
        &self,
        tasks: impl Iterator<Item = Task> + Send,
        begin: impl Fn() -> State + Sync,
        step: impl Fn(&mut State, Task) -> Result<(), Error> + Sync,
    ) -> Result<Vec<State>, Error> {
        let count = self.count.min(tasks.size_hint().1.unwrap_or(usize::MAX));
        let tasks = Mutex::new(tasks.enumerate());
        let failure: Mutex<Option<(usize, Error)>> = Mutex::new(None);
        let failed = AtomicBool::new(false);
        let work = || {
            let mut state = begin();
            while !failed.load(Ordering::Relaxed) && self.go_on().is_ok() {
                let Some((position, task)) = lock(&tasks).next() else {
                    break;
                };
                if let Err(error) = step(&mut state, task) {
                    let mut earliest = lock(&failure);
                    if earliest.as_ref().is_none_or(|(other, _)| position < *other) {
                        *earliest = Some((position, error));
                    }
                    failed.store(true, Ordering::Relaxed);
                }
            }
            state
        };
        let states = if count <= 1 {
            vec![work()]
        } else {
            let states = Mutex::new(Vec::with_capacity(count));
            let add = || {
                let state = work();
                lock(&states).push(state);
            };
            // This thread is one of the workers: it need not wait until another has woken up.
            pool()?.in_place_scope(|scope| {
                for _ in 1..count {
                    scope.spawn(|_| add());
                }
                add();
            });
            into_inner(states)
        };
        self.go_on()?;
        match into_inner(failure) {
            Some((_, error)) => Err(error),
            None => Ok(states),
        }
    }
}

impl Lookout<'_> {
    /// Whether the world outside lets the work go on, as far as this thread has to know.
    fn look(&self) -> bool {
        if current().id() != self.thread {
            return true;
        }
        let mut turn = lock(&self.turn);
        if turn.last.elapsed() < TICK {
            return true;
        }
        turn.last = Instant::now();
        (turn.goes_on)()
    }
}

impl std::fmt::Debug for Lookout<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.debug_struct("Lookout").finish_non_exhaustive()
    }
}

/// Do the work on this thread and those that help it, and turn a panic into [`Error::Panicked`].
///
/// About every 50 ms, between two tasks, this thread asks whether the work `goes_on`; if not, it ends
/// early with [`Error::Stopped`].
pub fn supervise<T>(
    threads: Option<usize>,
    mut goes_on: impl FnMut() -> bool + Send,
    work: impl FnOnce(&Workers) -> Result<T, Error>,
) -> Result<T, Error> {
    let stop = AtomicBool::new(false);
    let lookout = Lookout {
        thread: current().id(),
        turn: Mutex::new(Turn {
            last: Instant::now(),
            goes_on: &mut goes_on,
        }),
    };
    let workers = Workers {
        lookout: Some(&lookout),
        ..Workers::new(threads, &stop)?
    };
    catch_unwind(AssertUnwindSafe(|| work(&workers))).unwrap_or_else(|panic| Err(panicked(panic)))
}

fn panicked(panic: Box<dyn Any + Send>) -> Error {
    let message = match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => match panic.downcast::<&'static str>() {
            Ok(message) => (*message).to_owned(),
            Err(_) => "unknown panic".to_owned(),
        },
    };
    Error::Panicked { message }
}

fn machine_threads() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Return the pool of this process, made on first use.
fn pool() -> Result<Arc<ThreadPool>, Error> {
    static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

    let mut slot = lock(&POOL);
    let process = std::process::id();
    if let Some((owner, pool)) = &*slot
        && *owner == process
    {
        return Ok(Arc::clone(pool));
    }
    let pool = ThreadPoolBuilder::new()
        .num_threads(machine_threads())
        .thread_name(|index| format!("whyrec-{index}"))
        .build()
        .map(Arc::new)
        .map_err(|error| Error::Threads {
            reason: error.to_string(),
        })?;
    if let Some((_, orphan)) = slot.replace((process, Arc::clone(&pool))) {
        // The threads of the orphan stayed behind in the parent process: there is nobody to end.
        std::mem::forget(orphan);
    }
    Ok(pool)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    static NEVER: AtomicBool = AtomicBool::new(false);

    #[test]
    fn every_task_is_done_once() {
        for count in [1, 2, 7] {
            let workers = Workers::new(Some(count), &NEVER).unwrap();
            let mut done = vec![0; 1_000];
            workers
                .share_out(
                    done.iter_mut(),
                    || (),
                    |(), task| {
                        *task += 1;
                        Ok(())
                    },
                )
                .unwrap();
            assert!(done.iter().all(|times| *times == 1));
        }
    }

    #[test]
    fn the_earliest_failure_is_returned() {
        let workers = Workers::new(Some(4), &NEVER).unwrap();
        for _ in 0..50 {
            let result = workers.share_out(
                0..100_usize,
                || (),
                |(), task| match task {
                    17 | 18 | 19 | 60 => Err(Error::OutOfMemory { bytes: task }),
                    _ => Ok(()),
                },
            );
            assert_eq!(result, Err(Error::OutOfMemory { bytes: 17 }));
        }
    }

    #[test]
    fn no_threads_are_refused() {
        let error = Workers::new(Some(0), &NEVER).unwrap_err();
        assert_eq!(error.to_string(), "threads must be at least 1, got 0");
    }

    #[test]
    fn a_panic_is_an_error() {
        let result: Result<(), Error> = supervise(None, || true, |_| panic!("lost row {}", 7));
        assert_eq!(
            result,
            Err(Error::Panicked {
                message: "lost row 7".to_owned()
            })
        );
    }

    #[test]
    fn a_panic_of_a_shared_task_is_an_error() {
        let result = supervise(
            Some(3),
            || true,
            |workers| workers.share_out(0..10, || (), |(), task| panic!("task {}", task / 10)),
        );
        assert_eq!(
            result,
            Err(Error::Panicked {
                message: "task 0".to_owned()
            })
        );
    }

    #[test]
    fn work_stops_when_the_world_outside_says_so() {
        for threads in [1, 2] {
            let asked_by = Mutex::new(Vec::new());
            let result = supervise(
                Some(threads),
                || {
                    lock(&asked_by).push(current().id());
                    lock(&asked_by).len() < 3
                },
                |workers| {
                    workers.share_out(
                        0..usize::MAX,
                        || (),
                        |(), _| {
                            std::thread::sleep(Duration::from_millis(1));
                            Ok(())
                        },
                    )
                },
            );
            assert_eq!(result, Err(Error::Stopped));
            assert_eq!(into_inner(asked_by), [current().id(); 3]);
        }
    }
}
