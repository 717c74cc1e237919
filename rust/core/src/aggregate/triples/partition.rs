//! Entries brought together by range of cells, in the order in which they came.

use std::ops::Range;

use super::{CHUNK, Cells, Triples};
use crate::Error;
use crate::error::reserve;
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
    chunks: Vec<Chunk>,
}

#[derive(Debug, Default)]
struct Chunk {
    /// Where the entries of each range end.
    ends: Vec<usize>,
    /// The cell of each entry, counted from the first of its range.
    cells: Vec<u32>,
    values: Vec<f64>,
}

impl Partition {
    pub(super) fn new(cells: Cells, n_entries: usize) -> Result<Self, Error> {
        // The product is the length of the sums: it cannot overflow.
        let n_cells = cells.n_rows * cells.n_groups;
        let mut shift = FEWEST;
        while shift < u32::BITS && n_cells.div_ceil(1 << shift) > RANGES {
            shift += 1;
        }
        let mut chunks = Vec::new();
        reserve(&mut chunks, WAVE.min(n_entries.div_ceil(CHUNK)))?;
        chunks.resize_with(WAVE.min(n_entries.div_ceil(CHUNK)), Chunk::default);
        Ok(Self {
            cells,
            shift,
            n_ranges: n_cells.div_ceil(1 << shift),
            chunks,
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
        self.chunks.truncate(wave.len().div_ceil(CHUNK));
        let (cells, shift, n_ranges) = (self.cells, self.shift, self.n_ranges);
        workers.share_out(
            self.chunks.iter_mut().enumerate(),
            || (),
            |(), (number, chunk)| {
                let first = wave.start + number * CHUNK;
                let triples = triples.some(first..wave.end.min(first + CHUNK));
                chunk.count(triples, first, cells, shift, n_ranges)?;
                chunk.move_in(triples, cells, shift)
            },
        )?;
        Ok(())
    }

    /// Add the entries of a range to its sums.
    pub(super) fn sum(&self, range: usize, sums: &mut [f64]) {
        for chunk in &self.chunks {
            let start = if range == 0 { 0 } else { chunk.ends[range - 1] };
            let span = start..chunk.ends[range];
            add(&chunk.cells[span.clone()], &chunk.values[span], sums);
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

impl Chunk {
    /// Find where the entries of each range begin.
    #[inline(never)]
    fn count(
        &mut self,
        triples: Triples,
        first: usize,
        cells: Cells,
        shift: u32,
        n_ranges: usize,
    ) -> Result<(), Error> {
        self.ends.clear();
        reserve(&mut self.ends, n_ranges)?;
        self.ends.resize(n_ranges, 0);
        for (place, (row, group, _)) in triples.iter().enumerate() {
            if row >= cells.n_rows || group >= cells.n_groups {
                return Err(cells.wrong(triples, first, place));
            }
            self.ends[(row * cells.n_groups + group) >> shift] += 1;
        }
        let mut start = 0;
        for end in &mut self.ends {
            (*end, start) = (start, start + *end);
        }
        Ok(())
    }

    /// Move every entry to the end of its range.
    fn move_in(&mut self, triples: Triples, cells: Cells, shift: u32) -> Result<(), Error> {
        set_length(&mut self.cells, triples.len())?;
        set_length(&mut self.values, triples.len())?;
        scatter(triples, cells.n_groups, shift, self);
        Ok(())
    }
}

#[inline(never)]
fn scatter(triples: Triples, n_groups: usize, shift: u32, chunk: &mut Chunk) {
    let (ends, cells) = (chunk.ends.as_mut_slice(), chunk.cells.as_mut_slice());
    // Of the same length, as the compiler then knows.
    let values = &mut chunk.values[..cells.len()];
    for (row, group, value) in triples.iter() {
        let cell = row * n_groups + group;
        let end = &mut ends[cell >> shift];
        let place = *end;
        *end += 1;
        cells[place] = (cell & ((1 << shift) - 1)) as u32;
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

/// Make room for so many numbers; those of the wave before stay until they are overwritten.
fn set_length<T: Clone + Default>(numbers: &mut Vec<T>, length: usize) -> Result<(), Error> {
    let missing = length.saturating_sub(numbers.len());
    reserve(numbers, missing)?;
    numbers.resize(length, T::default());
    Ok(())
}
