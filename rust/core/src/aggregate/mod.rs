//! Attributions aggregated: folded to groups, the strongest picked, importance accumulated.
//!
//! | what comes | verbs |
//! |---|---|
//! | rows of one length | [`aggregate_rows`] |
//! | ragged rows | [`fold`](fold()), [`strongest`](strongest()) |
//! | entry by entry, with a row and a group | [`fold_triples`] |
//! | entry by entry, with a key | [`GlobalImportance::of`] |
//!
//! Contributions are finite. Sums are taken in the order of the input, in float64, so the same input
//! gives the same bits at any thread count.

mod fold;
mod importance;
mod rows;
mod strongest;
mod triples;

pub use fold::fold;
pub use importance::GlobalImportance;
pub use rows::{Contribution, RowKernel, Rows, StrongestGroups, Wanted, aggregate_rows};
pub use strongest::{Chosen, Strength, strongest};
pub use triples::{Triples, fold_triples};

use crate::Error;
use crate::error::check_length;

/// Rows that are aggregated as one task.
const BLOCK: usize = 4_096;

/// Fail if an entry of `values`, the first of which has position `first`, is not finite.
fn check_finite(first: usize, values: &[f64]) -> Result<(), Error> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(place) => Err(Error::EntryNotFinite {
            argument: "values",
            position: first + place,
            value: values[place],
        }),
        None => Ok(()),
    }
}
