//! The catalog: item vectors and biases, checked once, beside codes that find the best of them fast.
//!
//! An index is a value: to append or replace items gives a new one, which shares with the old what
//! has not changed. It is made of *segments*, from old to new, and an item counts as the newest of
//! them says. Neighbours of like size are joined, so that there are never more segments than the
//! logarithm of the number of items, and each row is copied as often at most (J. L. Bentley and
//! J. B. Saxe, Decomposable Searching Problems I, 1980).

mod buffer;
pub(crate) mod codes;
mod file;
mod rows;
mod segment;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::Error;
use crate::error::{reserve, zeros};
use crate::workers::Workers;

use rows::Items;
pub(crate) use rows::Rows;
use segment::finite_norm;

pub(crate) use segment::Segment;

/// Item vectors `x_i` in row-major order and biases `b_i`, all finite.
#[derive(Debug, Clone)]
pub struct ItemIndex {
    segments: Vec<Arc<Segment>>,
    items: usize,
    dimension: usize,
}

impl ItemIndex {
    /// Check and copy `vectors` (row-major, `items` rows of `dimension` values) and `biases`.
    pub fn new(
        vectors: &[f32],
        items: usize,
        dimension: usize,
        biases: &[f32],
        workers: &Workers,
    ) -> Result<Self, Error> {
        let none = Self {
            segments: Vec::new(),
            items: 0,
            dimension,
        };
        none.appended(vectors, items, biases, workers)
    }

    /// An index with `added` more items behind those that there are.
    pub fn appended(
        &self,
        vectors: &[f32],
        added: usize,
        biases: &[f32],
        workers: &Workers,
    ) -> Result<Self, Error> {
        // Item indices are int32.
        let items = self.items.saturating_add(added);
        if items > i32::MAX as usize {
            return Err(Error::TooMany {
                argument: "vectors",
                unit: "items",
                most: i32::MAX as usize,
                found: items,
            });
        }
        self.check_rows(vectors, added, biases)?;
        let vector = |row: usize| &vectors[row * self.dimension..(row + 1) * self.dimension];
        let segment = Segment::build(
            Items::From(self.items as u32),
            self.dimension,
            copied(biases)?,
            |row, copy: &mut [f32]| copy.copy_from_slice(vector(row)),
            workers,
        )?;
        let mut index = self.clone();
        index.items = items;
        index.push(segment, workers)?;
        Ok(index)
    }

    /// An index in which the items named have other vectors and biases.
    pub fn replaced(
        &self,
        items: &[i32],
        vectors: &[f32],
        biases: &[f32],
        workers: &Workers,
    ) -> Result<Self, Error> {
        crate::indices::check_indices("items", items, self.items)?;
        self.check_rows(vectors, items.len(), biases)?;
        let mut order: Vec<usize> = Vec::new();
        reserve(&mut order, items.len())?;
        order.extend(0..items.len());
        order.sort_by_key(|row| items[*row]);
        if let Some(pair) = order
            .windows(2)
            .find(|pair| items[pair[0]] == items[pair[1]])
        {
            return Err(Error::Twice {
                argument: "items",
                position: pair[1],
                found: items[pair[1]].into(),
            });
        }
        let vector = |row: usize| &vectors[row * self.dimension..(row + 1) * self.dimension];
        let segment = Segment::build(
            Items::Listed(order.iter().map(|row| items[*row] as u32).collect()),
            self.dimension,
            order.iter().map(|row| biases[*row]).collect(),
            |row, copy: &mut [f32]| copy.copy_from_slice(vector(order[row])),
            workers,
        )?;
        let mut index = self.clone();
        index.push(segment, workers)?;
        Ok(index)
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// How many values a vector has.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The segments, from old to new.
    pub(crate) fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// The rows that an item counts by, and which of them is its own.
    #[inline]
    pub(crate) fn find(&self, item: u32) -> (&Rows, usize) {
        let found = self.segments.iter().rev().find_map(|segment| {
            let row = segment.rows.find(item)?;
            Some((&segment.rows, row))
        });
        found.expect("every item is in a segment")
    }

    /// Fail if the file that this index was opened from has been altered.
    pub(crate) fn check_file(&self) -> Result<(), Error> {
        self.segments
            .iter()
            .try_for_each(|segment| segment.check_file())
    }

    /// Check queries (row-major) and return the norm of each.
    ///
    /// By Cauchy and Schwarz no partial sum of the canonical chain is larger than ‖q‖·‖x‖, but for
    /// rounding, so a query that passes can never meet an overflow.
    pub(crate) fn check_queries(&self, queries: &[f32], rows: usize) -> Result<Vec<f64>, Error> {
        if rows.checked_mul(self.dimension) != Some(queries.len()) {
            return Err(Error::Length {
                argument: "queries",
                unit: "values (rows × dimension of the items)",
                expected: rows.saturating_mul(self.dimension),
                found: queries.len(),
            });
        }
        let largest =
            |of: fn(&Segment) -> f64| self.segments.iter().map(|s| of(s)).fold(0.0, f64::max);
        let item_norm = largest(|segment| segment.largest_norm);
        let bias = largest(|segment| segment.rows.largest_bias());
        let mut norms: Vec<f64> = zeros(rows)?;
        for (row, norm) in norms.iter_mut().enumerate() {
            let query = &queries[row * self.dimension..(row + 1) * self.dimension];
            *norm = finite_norm("queries", row, query)?;
            // Half of the range is far more than rounding can add.
            if *norm * item_norm + bias > f64::from(f32::MAX) / 2.0 {
                return Err(Error::ScoreOverflow {
                    row,
                    query_norm: *norm,
                    item_norm,
                    bias,
                });
            }
        }
        Ok(norms)
    }

    fn check_rows(&self, vectors: &[f32], rows: usize, biases: &[f32]) -> Result<(), Error> {
        if biases.len() != rows {
            return Err(Error::Length {
                argument: "biases",
                unit: "entries (one for each item)",
                expected: rows,
                found: biases.len(),
            });
        }
        if rows.checked_mul(self.dimension) != Some(vectors.len()) {
            return Err(Error::Length {
                argument: "vectors",
                unit: "values (items × dimension)",
                expected: rows.saturating_mul(self.dimension),
                found: vectors.len(),
            });
        }
        match biases.iter().position(|bias| !bias.is_finite()) {
            Some(position) => Err(Error::EntryNotFinite {
                argument: "biases",
                position,
                value: biases[position].into(),
            }),
            None => Ok(()),
        }
    }

    /// Add a segment, and join neighbours of which the older is less than twice as long.
    fn push(&mut self, segment: Segment, workers: &Workers) -> Result<(), Error> {
        if segment.rows.len() == 0 {
            return Ok(());
        }
        let mut rows = segment.rows.len();
        self.segments.push(Arc::new(segment));
        let mut kept = self.segments.len() - 1;
        while kept > 0 && self.segments[kept - 1].rows.len() < 2 * rows {
            kept -= 1;
            rows += self.segments[kept].rows.len();
        }
        self.join(kept, workers)
    }

    /// Make one segment of all from the given one on.
    fn join(&mut self, first: usize, workers: &Workers) -> Result<(), Error> {
        if self.segments.len() - first < 2 {
            return Ok(());
        }
        let mut items: Vec<u32> = Vec::new();
        let joined = &self.segments[first..];
        reserve(
            &mut items,
            joined.iter().map(|segment| segment.rows.len()).sum(),
        )?;
        for segment in joined {
            items.extend((0..segment.rows.len()).map(|row| segment.rows.item(row)));
        }
        crate::sort::sort(&mut items, workers)?;
        items.dedup();
        let mut biases = Vec::new();
        reserve(&mut biases, items.len())?;
        for item in &items {
            let (rows, row) = self.find(*item);
            biases.push(rows.bias(row));
        }
        let of_row = |row: usize, copy: &mut [f32]| {
            let (rows, row) = self.find(items[row]);
            copy.copy_from_slice(rows.vector(row));
        };
        let is_run = (items[items.len() - 1] - items[0]) as usize == items.len() - 1;
        let kept = if is_run {
            Items::From(items[0])
        } else {
            Items::Listed(items.clone())
        };
        let whole = Segment::build(kept, self.dimension, biases, of_row, workers)?;
        self.segments.truncate(first);
        self.segments.push(Arc::new(whole));
        Ok(())
    }
}

fn copied(values: &[f32]) -> Result<Vec<f32>, Error> {
    let mut copy = Vec::new();
    reserve(&mut copy, values.len())?;
    copy.extend_from_slice(values);
    Ok(copy)
}
