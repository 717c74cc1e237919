//! Contributions that come one by one, each with its row and group, summed by cell.
//!
//! Φ_rg = Σ φ_e over the entries e of row r and group g, in the order in which they come: the bits
//! are those of one plain loop, whatever the order and the number of threads.
//!
//! Entries sorted by row are read once: threads share them at changes of row. Whether they are
//! sorted shows on the way: a thread that meets a row of another one gives up. All others are first
//! brought together by range of cells, stably and a wave at a time, so that the cells of a range are
//! summed in the cache.

mod partition;
mod share;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::check_finite;
use crate::Error;
use crate::error::reserve;
use crate::workers::Workers;
use partition::Partition;
use share::sum_share;

/// Entries that are summed or moved as one task.
const CHUNK: usize = 1 << 16;

/// Numbers that are written or looked at without asking whether to go on.
const AT_ONCE: usize = 1 << 20;

/// Contributions, each with its row and group.
#[derive(Debug, Clone, Copy)]
pub struct Triples<'a> {
    rows: &'a [i32],
    groups: &'a [i32],
    values: &'a [f64],
}

/// What the entries are summed to.
#[derive(Debug, Clone, Copy)]
struct Cells {
    n_rows: usize,
    n_groups: usize,
}

impl<'a> Triples<'a> {
    /// Take entry by entry its row, its group and its value.
    pub fn new(rows: &'a [i32], groups: &'a [i32], values: &'a [f64]) -> Result<Self, Error> {
        for (argument, found) in [("rows", rows.len()), ("groups", groups.len())] {
            super::check_length(
                argument,
                "entries (one for each value)",
                values.len(),
                found,
            )?;
        }
        Ok(Self {
            rows,
            groups,
            values,
        })
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn some(&self, span: Range<usize>) -> Self {
        Self {
            rows: &self.rows[span.clone()],
            groups: &self.groups[span.clone()],
            values: &self.values[span],
        }
    }

    /// Give each entry; a negative row or group becomes one that is too large.
    #[inline]
    fn iter(&self) -> impl Iterator<Item = (usize, usize, f64)> {
        let places = self.rows.iter().zip(self.groups);
        places
            .zip(self.values)
            .map(|((&row, &group), &value)| (row as u32 as usize, group as u32 as usize, value))
    }
}

/// Sum the entries by row and group into `sums`, which has room for rows times groups numbers.
///
/// What stands in `sums` before does not matter. Entries that are not sorted by row take extra
/// memory: 12 bytes for each, and never more than about 100 MB.
pub fn fold_triples(
    triples: Triples,
    n_rows: usize,
    n_groups: usize,
    sums: &mut [f64],
    workers: &Workers,
) -> Result<(), Error> {
    super::check_length(
        "sums",
        "sums (rows times groups)",
        n_rows.saturating_mul(n_groups),
        sums.len(),
    )?;
    let cells = Cells { n_rows, n_groups };
    let finite = match sum_in_order(triples, cells, sums, workers)? {
        Some(finite) => finite,
        None => sum_by_range(triples, cells, sums, workers)?,
    };
    if finite {
        return Ok(());
    }
    // A value that is not finite stays in its sum to the end.
    find(triples.values, workers, check_finite)?;
    find(sums, workers, |first, sums| {
        match sums.iter().position(|sum| !sum.is_finite()) {
            Some(place) => Err(Error::SumOverflow {
                argument: "values",
                unit: "row",
                index: (first + place) / n_groups,
            }),
            None => Ok(()),
        }
    })
}

/// Sum entries that are sorted by row and tell whether all sums are finite; None if they are not
/// sorted, or an index is out of range.
fn sum_in_order(
    triples: Triples,
    cells: Cells,
    sums: &mut [f64],
    workers: &Workers,
) -> Result<Option<bool>, Error> {
    let Some(shares) = shares(triples.rows, cells.n_rows)? else {
        return Ok(None);
    };
    let mut rest = sums;
    let tasks = shares.into_iter().map(|(entries, rows)| {
        let (sums, after) = std::mem::take(&mut rest).split_at_mut(rows.len() * cells.n_groups);
        rest = after;
        (entries, rows, sums)
    });
    let (in_order, finite) = (AtomicBool::new(true), AtomicBool::new(true));
    workers.share_out(
        tasks,
        || (),
        |(), (entries, rows, sums)| {
            clear(sums, workers)?;
            for first in entries.clone().step_by(CHUNK) {
                workers.go_on()?;
                if !in_order.load(Ordering::Relaxed) {
                    break;
                }
                let span = first..entries.end.min(first + CHUNK);
                if !sum_share(triples.some(span), &rows, cells.n_groups, sums) {
                    in_order.store(false, Ordering::Relaxed);
                }
            }
            if !all_finite(sums, workers)? {
                finite.store(false, Ordering::Relaxed);
            }
            Ok(())
        },
    )?;
    Ok(in_order.into_inner().then_some(finite.into_inner()))
}

/// Entries, and the rows that they are about if all are sorted.
type Share = (Range<usize>, Range<usize>);

/// Cut the entries at changes of row; None where the rows fall from one cut to the next.
fn shares(rows: &[i32], n_rows: usize) -> Result<Option<Vec<Share>>, Error> {
    let mut shares = Vec::new();
    reserve(&mut shares, rows.len() / CHUNK + 1)?;
    let (mut start, mut first_row) = (0, 0);
    loop {
        let about = start + CHUNK;
        let change = rows.get(about..).and_then(|after| {
            let before = rows[about - 1];
            after.iter().position(|&row| row != before)
        });
        let Some(change) = change else {
            shares.push((start..rows.len(), first_row..n_rows));
            return Ok(Some(shares));
        };
        let row = usize::try_from(rows[about + change]).unwrap_or(usize::MAX);
        if !(first_row..=n_rows).contains(&row) {
            return Ok(None);
        }
        shares.push((start..about + change, first_row..row));
        (start, first_row) = (about + change, row);
    }
}

/// Sum entries in any order and tell whether all sums are finite.
fn sum_by_range(
    triples: Triples,
    cells: Cells,
    sums: &mut [f64],
    workers: &Workers,
) -> Result<bool, Error> {
    let mut partition = Partition::new(cells, triples.len())?;
    let finite = AtomicBool::new(true);
    for wave in partition.waves(triples.len()) {
        let (is_first, is_last) = (wave.start == 0, wave.end == triples.len());
        partition.fill(triples, wave, workers)?;
        workers.share_out(
            sums.chunks_mut(partition.range_len()).enumerate(),
            || (),
            |(), (range, sums)| {
                if is_first {
                    clear(sums, workers)?;
                }
                partition.sum(range, sums);
                if is_last && !all_finite(sums, workers)? {
                    finite.store(false, Ordering::Relaxed);
                }
                Ok(())
            },
        )?;
    }
    Ok(finite.into_inner())
}

fn clear(sums: &mut [f64], workers: &Workers) -> Result<(), Error> {
    for some in sums.chunks_mut(AT_ONCE) {
        workers.go_on()?;
        some.fill(0.0);
    }
    Ok(())
}

fn all_finite(sums: &[f64], workers: &Workers) -> Result<bool, Error> {
    let mut finite = true;
    for some in sums.chunks(AT_ONCE) {
        workers.go_on()?;
        finite &= some
            .iter()
            .fold(true, |finite, sum| finite & sum.is_finite());
    }
    Ok(finite)
}

/// Look at all values, some at a time with the position of the first, and return the first failure.
fn find(
    values: &[f64],
    workers: &Workers,
    look: impl Fn(usize, &[f64]) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let tasks = values.chunks(AT_ONCE).enumerate();
    workers.share_out(tasks, || (), |(), (task, some)| look(task * AT_ONCE, some))?;
    Ok(())
}
