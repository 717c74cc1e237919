//! Float rows and biases of a segment, and the items that they belong to.

use crate::kernel::LANES;
use crate::kernel::floats::Tile;

use super::buffer::Buffer;

/// The items of a segment, rising.
#[derive(Debug)]
pub(super) enum Items {
    /// This one and those that follow it.
    From(u32),
    /// One for each row.
    Listed(Vec<u32>),
}

/// Row-major vectors and biases.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(super) items: Items,
    pub(super) vectors: Buffer<f32>,
    pub(super) biases: Buffer<f32>,
    pub(super) dimension: usize,
    /// No less than any absolute bias.
    pub(super) largest_bias: f64,
}

impl Rows {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.biases.len()
    }

    /// How many values a vector has.
    pub(super) fn dimension(&self) -> usize {
        self.dimension
    }

    /// The vector of a row.
    #[inline]
    pub(crate) fn vector(&self, row: usize) -> &[f32] {
        &self.vectors[row * self.dimension..(row + 1) * self.dimension]
    }

    /// The bias of a row.
    #[inline]
    pub(crate) fn bias(&self, row: usize) -> f32 {
        self.biases[row]
    }

    /// The tile of this row and the 15 that follow it.
    #[inline]
    pub(crate) fn tile(&self, first: usize) -> Tile<'_> {
        let vectors = &self.vectors[first * self.dimension..(first + LANES) * self.dimension];
        let biases = &self.biases[first..first + LANES];
        Tile {
            rows: std::array::from_fn(|lane| {
                &vectors[lane * self.dimension..(lane + 1) * self.dimension]
            }),
            biases: std::array::from_fn(|lane| biases[lane]),
        }
    }

    pub(super) fn biases(&self) -> &[f32] {
        &self.biases
    }

    /// No less than any absolute bias.
    pub(crate) fn largest_bias(&self) -> f64 {
        self.largest_bias
    }

    /// The item of a row.
    #[inline]
    pub(crate) fn item(&self, row: usize) -> u32 {
        match &self.items {
            Items::From(first) => first + row as u32,
            Items::Listed(items) => items[row],
        }
    }

    /// The row of an item, if it is one of these.
    #[inline]
    pub(crate) fn find(&self, item: u32) -> Option<usize> {
        match &self.items {
            Items::From(first) => {
                let row = item.checked_sub(*first)? as usize;
                (row < self.len()).then_some(row)
            }
            Items::Listed(items) => items.binary_search(&item).ok(),
        }
    }
}

/// The largest absolute value.
pub(super) fn largest(values: &[f32]) -> f64 {
    values
        .iter()
        .fold(0.0_f32, |most, value| most.max(value.abs()))
        .into()
}
