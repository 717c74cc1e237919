//! One block of rows, eight rows at a time.

use std::array::from_fn;
use std::ops::Range;

use super::pick::Pick;
use super::plan::{PANEL, Plan, Tile};
use super::{Contribution, LANES, Lanes, Rows};
use crate::Error;
use crate::error::reserve;
use crate::workers::Workers;

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
}

impl Scratch {
    pub(super) fn new(n_groups: usize) -> Result<Self, Error> {
        let mut sums = Vec::new();
        reserve(&mut sums, n_groups)?;
        sums.resize(n_groups, [0.0; LANES]);
        Ok(Self {
            tile: [[0.0; LANES]; PANEL],
            sums,
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
        for first in self.rows.clone().step_by(LANES) {
            workers.go_on()?;
            let span = first..self.rows.end.min(first + LANES);
            if self.importance {
                part.add(rows, span.clone());
            }
            if self.folded.is_some() || self.picked.is_some() {
                self.fold(rows, plan, scratch, span.clone())?;
                if let Some((pick, ends, groups)) = &mut self.picked {
                    let room = &mut ends[first - self.rows.start..][..span.len()];
                    let before = (self.rows.start * pick.m) as i64;
                    pick.pick(&scratch.sums, room, before, groups, &mut part.n_picked);
                }
            }
        }
        // A number that is not finite, or a sum that overflows, stays in the sums to the end.
        if !part.absolute_sums.iter().all(|sum| sum.is_finite()) {
            let _: () = self.rows.clone().try_for_each(|row| rows.check(row))?;
        }
        Ok(part)
    }

    /// Sum eight rows by group, or fewer at the end.
    #[inline(always)]
    fn fold<T: Contribution>(
        &mut self,
        rows: &Rows<T>,
        plan: &Plan,
        scratch: &mut Scratch,
        span: Range<usize>,
    ) -> Result<(), Error> {
        let Scratch { tile, sums } = scratch;
        if span.len() == LANES {
            let eight: [&[T]; LANES] = from_fn(|lane| rows.row(span.start + lane));
            plan.fold(tile, sums, |players, tile| turn(&eight, players, tile));
        } else {
            plan.fold(tile, sums, |players, tile| {
                tile.fill([0.0; LANES]);
                for (lane, row) in span.clone().enumerate() {
                    for (values, &value) in tile.iter_mut().zip(&rows.row(row)[players.clone()]) {
                        values[lane] = value.into();
                    }
                }
            });
        }
        // The difference is 0 unless the sum is infinite or NaN.
        let wrong = sums.as_flattened().iter().fold(0.0, |wrong, sum| wrong + (sum - sum));
        if wrong != 0.0 {
            return Err(rows.wrong(span, sums));
        }
        if let Some(folded) = &mut self.folded {
            let first = (span.start - self.rows.start) * sums.len();
            let room = &mut folded[first..][..span.len() * sums.len()];
            for (lane, row) in room.chunks_exact_mut(sums.len().max(1)).enumerate() {
                for (sum, lanes) in row.iter_mut().zip(sums.iter()) {
                    *sum = lanes[lane % LANES];
                }
            }
        }
        Ok(())
    }
}

/// Turn some players of eight rows.
#[inline(always)]
fn turn<T: Contribution>(rows: &[&[T]; LANES], players: Range<usize>, tile: &mut Tile) {
    let count = players.len();
    let rows = rows.map(|row| &row[players.clone()]);
    let whole = count - count % LANES;
    for first in (0..whole).step_by(LANES) {
        let square: [[T; LANES]; LANES] = from_fn(|lane| from_fn(|step| rows[lane][first + step]));
        for step in 0..LANES {
            tile[first + step] = from_fn(|lane| square[lane][step].into());
        }
    }
    for place in whole..count {
        tile[place] = from_fn(|lane| rows[lane][place].into());
    }
}

impl Part {
    /// Add up to eight rows to the sums of each player.
    #[inline(always)]
    fn add<T: Contribution>(&mut self, rows: &Rows<T>, span: Range<usize>) {
        const WIDTH: usize = 8;
        let (sums, rest) = self.sums.as_chunks_mut::<WIDTH>();
        let (absolute_sums, absolute_rest) = self.absolute_sums.as_chunks_mut::<WIDTH>();
        for (some, (sums, absolute_sums)) in sums.iter_mut().zip(absolute_sums).enumerate() {
            let (mut sum, mut absolute_sum) = (*sums, *absolute_sums);
            for row in span.clone() {
                let values = &rows.row(row)[some * WIDTH..][..WIDTH];
                for player in 0..WIDTH {
                    let value: f64 = values[player].into();
                    sum[player] += value;
                    absolute_sum[player] += value.abs();
                }
            }
            (*sums, *absolute_sums) = (sum, absolute_sum);
        }
        let first = rows.n_players - rest.len();
        for row in span {
            let values = &rows.row(row)[first..];
            for (player, &value) in values.iter().enumerate() {
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
