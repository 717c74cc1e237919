//! Entries brought together by range of cells, in the order in which they came.

use std::ops::Range;

use super::{CHUNK, Cells, Triples};
use crate::Error;
use crate::error::zeros;
use crate::large::Large;
use crate::workers::Workers;

/// Ranges at most, unless that makes their cells too many to be counted in 32 bits: one write goes
/// to each of them in turn, which the nearest cache must hold.
const RANGES: usize = 512;

/// Cells of a range at least, as a power of two: fewer are summed no faster.
const FEWEST: u32 = 12;

/// Chunks that are partitioned before they are summed.
pub(super) const WAVE: usize = 128;

/// One wave of entries, chunk by chunk, each chunk ordered by range.
///
/// Chunk by chunk the entries of a range come in their order, and every chunk is moved within the
/// cache by one thread for itself.
#[derive(Debug)]
pub(super) struct Partition {
    cells: Cells,
    /// A cell is in range `cell >> shift`.
    shift: u32,
    n_ranges: usize,
    /// How many entries the wave has.
    n_entries: usize,
    /// Where the entries of each range end in their chunk, chunk by chunk.
    ends: Vec<u32>,
    /// The cell of each entry, counted from the first of its range.
    places: Large<u32>,
    values: Large<f64>,
}

impl Partition {
    pub(super) fn new(cells: Cells, n_entries: usize) -> Result<Self, Error> {
        // The product is the length of the sums: it cannot overflow.
        let n_cells = cells.n_rows * cells.n_groups;
        let mut shift = FEWEST;
        while shift < u32::BITS && n_cells.div_ceil(1 << shift) > RANGES {
            shift += 1;
        }
        let n_ranges = n_cells.div_ceil(1 << shift);
        let n_chunks = WAVE.min(n_entries.div_ceil(CHUNK));
        let room = n_entries.min(n_chunks * CHUNK);
        Ok(Self {
            cells,
            shift,
            n_ranges,
            ends: zeros(n_chunks * n_ranges)?,
            places: Large::zeros(room)?,
            values: Large::zeros(room)?,
            n_entries: 0,
        })
    }

    /// The entries of each wave.
    pub(super) fn waves(&self, n_entries: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let starts = (0..n_entries).step_by(WAVE * CHUNK);
        starts.map(move |first| first..n_entries.min(first + WAVE * CHUNK))
    }

    /// How many cells a range has.
    pub(super) fn range_len(&self) -> usize {
        1 << self.shift
    }

    /// Partition the entries of a wave.
    pub(super) fn fill(
        &mut self,
        triples: Triples,
        wave: Range<usize>,
        workers: &Workers,
    ) -> Result<(), Error> {
        self.n_entries = wave.len();
        let (cells, shift) = (self.cells, self.shift);
        let places = self.places[..wave.len()].chunks_mut(CHUNK);
        let moved = places.zip(self.values[..wave.len()].chunks_mut(CHUNK));
        // Without entries there may be no ranges.
        let ends = self.ends.chunks_mut(self.n_ranges.max(1));
        workers.share_out(
            ends.zip(moved).enumerate(),
            || (),
            |(), (number, (ends, (places, values)))| {
                let first = wave.start + number * CHUNK;
                let triples = triples.some(first..first + places.len());
                count(ends, triples, first, cells, shift)?;
                scatter(triples, cells.n_groups, shift, ends, places, values);
                Ok(())
            },
        )?;
        Ok(())
    }

    /// Add the entries of a range to its sums.
    pub(super) fn sum(&self, range: usize, sums: &mut [f64]) {
        let chunks = (0..self.n_entries).step_by(CHUNK);
        for (first, ends) in chunks.zip(self.ends.chunks(self.n_ranges)) {
            let start = if range == 0 { 0 } else { ends[range - 1] };
            let span = first + start as usize..first + ends[range] as usize;
            add(&self.places[span.clone()], &self.values[span], sums);
        }
    }
}

// This loop and those below are kept by themselves: inlined among tasks, they run out of registers.
#[inline(never)]
fn add(cells: &[u32], values: &[f64], sums: &mut [f64]) {
    for (&cell, value) in cells.iter().zip(values) {
        sums[cell as usize] += value;
    }
}

/// Find where the entries of each range begin in their chunk.
#[inline(never)]
fn count(
    ends: &mut [u32],
    triples: Triples,
    first: usize,
    cells: Cells,
    shift: u32,
) -> Result<(), Error> {
    ends.fill(0);
    for (place, (row, group, _)) in triples.iter().enumerate() {
        if row >= cells.n_rows || group >= cells.n_groups {
            return Err(cells.wrong(triples, first, place));
        }
        ends[(row * cells.n_groups + group) >> shift] += 1;
    }
    let mut start = 0;
    for end in ends {
        (*end, start) = (start, start + *end);
    }
    Ok(())
}

/// Move every entry to the end of its range.
#[inline(never)]
fn scatter(
    triples: Triples,
    n_groups: usize,
    shift: u32,
    ends: &mut [u32],
    places: &mut [u32],
    values: &mut [f64],
) {
    // Of the same length, as the compiler then knows.
    let values = &mut values[..places.len()];
    for (row, group, value) in triples.iter() {
        let cell = row * n_groups + group;
        let end = &mut ends[cell >> shift];
        let place = *end as usize;
        *end += 1;
        places[place] = (cell & ((1 << shift) - 1)) as u32;
        values[place] = value;
    }
}

impl Cells {
    /// Say which index of an entry is out of range.
    #[cold]
    fn wrong(self, triples: Triples, first: usize, place: usize) -> Error {
        let row = triples.rows[place];
        let wrong_row = usize::try_from(row).map_or(true, |row| row >= self.n_rows);
        let (argument, found, end) = if wrong_row {
            ("rows", row, self.n_rows)
        } else {
            ("groups", triples.groups[place], self.n_groups)
        };
        Error::OutOfRange {
            argument,
            position: first + place,
            found: found.into(),
            end,
        }
    }
}
