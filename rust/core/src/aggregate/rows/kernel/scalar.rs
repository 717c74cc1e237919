//! Rows turned number by number.

use crate::aggregate::rows::plan::Tile;
use crate::aggregate::rows::{Contribution, LANES, Lanes};

pub(super) fn turn<T: Contribution>(rows: &[&[T]; LANES], tile: &mut Tile) {
    for (lane, row) in rows.iter().enumerate() {
        for (lanes, &value) in tile.iter_mut().zip(*row) {
            lanes[lane] = value.into();
        }
    }
}

pub(super) fn turn_back(sums: &[Lanes], rows: &mut [f64]) {
    // Rows without groups have nothing to be turned.
    for (lane, row) in rows.chunks_exact_mut(sums.len().max(1)).enumerate() {
        for (sum, lanes) in row.iter_mut().zip(sums) {
            *sum = lanes[lane];
        }
    }
}
