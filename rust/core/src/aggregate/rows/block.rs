//! One block of rows, eight rows at a time.

use std::ops::Range;

use super::pick::{Candidates, Pick};
use super::plan::{PANEL, Plan, Tile};
use super::{Contribution, LANES, Lanes, RowKernel, Rows};
use crate::Error;
use crate::error::reserve;
use crate::kernel::fetch;
use crate::workers::Workers;

/// Values that are aggregated between two looks whether to go on: well under a millisecond's.
const VALUES_BETWEEN_LOOKS: usize = 1 << 16;

/// Some rows, what is wanted of them, and room for it.
#[derive(Debug)]
pub(super) struct Block<'a> {
    pub(super) rows: Range<usize>,
    pub(super) folded: Option<&'a mut [f64]>,
    /// What to pick, and room for the end of each row's groups and for the groups.
    pub(super) picked: Option<(Pick, &'a mut [i64], &'a mut [i32])>,
    pub(super) importance: bool,
}

/// What a block adds up to.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) n_rows: usize,
    pub(super) n_picked: usize,
    /// Of each player, if importance is wanted.
    pub(super) sums: Vec<f64>,
    pub(super) absolute_sums: Vec<f64>,
}

/// Where eight rows are turned and folded.
#[derive(Debug)]
pub(super) struct Scratch {
    tile: Tile,
    sums: Vec<Lanes>,
    candidates: Candidates,
}

impl Scratch {
    pub(super) fn new(n_groups: usize) -> Result<Self, Error> {
        let mut sums = Vec::new();
        reserve(&mut sums, n_groups)?;
        sums.resize(n_groups, [0.0; LANES]);
        let mut candidates = Vec::new();
        reserve(&mut candidates, n_groups)?;
        Ok(Self {
            tile: [[0.0; LANES]; PANEL],
            sums,
            candidates,
        })
    }
}

impl Block<'_> {
    /// Aggregate the rows of the block.
    ///
    /// Inlined into a function for each instruction set, as is all that it calls for every row.
    #[inline(always)]
    pub(super) fn aggregate<T: Contribution>(
        &mut self,
        rows: &Rows<T>,
        plan: &Plan,
        scratch: &mut Scratch,
        kernel: RowKernel,
        workers: &Workers,
    ) -> Result<Part, Error> {
        let mut part = Part {
            n_rows: self.rows.len(),
            ..Part::default()
        };
        if self.importance {
            for sums in [&mut part.sums, &mut part.absolute_sums] {
                reserve(sums, rows.n_players)?;
                sums.resize(rows.n_players, 0.0);
            }
        }
        let between_looks = VALUES_BETWEEN_LOOKS.div_ceil(rows.n_players.max(1) * LANES);
        for (eighth, first) in self.rows.clone().step_by(LANES).enumerate() {
            if eighth % between_looks == 0 {
                workers.go_on()?;
            }
            let span = first..self.rows.end.min(first + LANES);
            let mut eight = [rows.row(first); LANES];
            for (lane, row) in eight.iter_mut().enumerate() {
                // Where there are fewer, the last stands for those that are missing.
                *row = rows.row((first + lane).min(span.end - 1));
            }
            fetch(rows.ahead(span.end));
            if self.importance {
                part.add(&eight[..span.len()]);
            }
            if self.folded.is_some() || self.picked.is_some() {
                self.fold(rows, &eight, plan, scratch, kernel, span.clone())?;
                if let Some((pick, ends, groups)) = &mut self.picked {
                    let room = &mut ends[first - self.rows.start..][..span.len()];
                    let before = (self.rows.start * pick.m) as i64;
                    let Scratch {
                        sums, candidates, ..
                    } = scratch;
                    pick.pick(sums, room, before, groups, &mut part.n_picked, candidates);
                }
            }
        }
        // A number that is not finite, or a sum that overflows, stays in the sums to the end.
        if !part.absolute_sums.iter().all(|sum| sum.is_finite()) {
            self.rows.clone().try_for_each(|row| rows.check(row))?;
        }
        Ok(part)
    }

    /// Sum eight rows by group, or fewer at the end.
    #[inline(always)]
    fn fold<T: Contribution>(
        &mut self,
        rows: &Rows<T>,
        eight: &[&[T]; LANES],
        plan: &Plan,
        scratch: &mut Scratch,
        kernel: RowKernel,
        span: Range<usize>,
    ) -> Result<(), Error> {
        let Scratch { tile, sums, .. } = scratch;
        plan.fold(eight, kernel, tile, sums);
        // The product is 0 unless the sum is infinite or NaN.
        let mut wrong = [0.0; LANES];
        for sum in sums.iter() {
            for lane in 0..LANES {
                wrong[lane] += 0.0 * sum[lane];
            }
        }
        if wrong != [0.0; LANES] {
            return Err(rows.wrong(span, sums));
        }
        if let Some(folded) = &mut self.folded {
            let first = (span.start - self.rows.start) * sums.len();
            let room = &mut folded[first..][..span.len() * sums.len()];
            kernel.turn_back(sums, room);
        }
        Ok(())
    }
}

impl Part {
    /// Add up to eight rows to the sums of each player.
    #[inline(always)]
    fn add<T: Contribution>(&mut self, rows: &[&[T]]) {
        const WIDTH: usize = 8;
        let (sums, rest) = self.sums.as_chunks_mut::<WIDTH>();
        let (absolute_sums, absolute_rest) = self.absolute_sums.as_chunks_mut::<WIDTH>();
        let whole = sums.len() * WIDTH;
        for (chunk, (sums, absolute_sums)) in sums.iter_mut().zip(absolute_sums).enumerate() {
            let (mut sum, mut absolute_sum) = (*sums, *absolute_sums);
            for row in rows {
                let values = &row.as_chunks::<WIDTH>().0[chunk];
                for player in 0..WIDTH {
                    let value: f64 = values[player].into();
                    sum[player] += value;
                    absolute_sum[player] += value.abs();
                }
            }
            (*sums, *absolute_sums) = (sum, absolute_sum);
        }
        for row in rows {
            for (player, &value) in row[whole..].iter().enumerate() {
                let value: f64 = value.into();
                rest[player] += value;
                absolute_rest[player] += value.abs();
            }
        }
    }
}

impl<T: Contribution> Rows<'_, T> {
    /// Fail if a value of the row is not finite.
    fn check(&self, row: usize) -> Result<(), Error> {
        let mut values = self.row(row).iter().map(|&value| value.into());
        match values.position(|value: f64| !value.is_finite()) {
            Some(column) => Err(Error::NotFinite {
                argument: "values",
                row,
                column,
                value: self.row(row)[column].into(),
            }),
            None => Ok(()),
        }
    }

    /// Say what is wrong with the first of eight rows whose sums are not finite.
    #[cold]
    fn wrong(&self, span: Range<usize>, sums: &[Lanes]) -> Error {
        for (lane, row) in span.clone().enumerate() {
            if let Err(error) = self.check(row) {
                return error;
            }
            if sums.iter().any(|sum| !sum[lane].is_finite()) {
                return Error::SumOverflow {
                    argument: "values",
                    unit: "row",
                    index: row,
                };
            }
        }
        unreachable!("a sum of the rows {span:?} was not finite")
    }
}
