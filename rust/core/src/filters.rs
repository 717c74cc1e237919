//! Sets of item indices, as they come and as they are asked.

use crate::Error;
use crate::error::reserve;
use crate::indices::check_indices;
use crate::ragged::Ragged;
use crate::sort::sort;
use crate::workers::Workers;

/// Sets of items: one for all queries, or one for each. Order and duplicates do not matter.
#[derive(Debug, Clone, Copy)]
pub enum ItemSets<'a> {
    /// One set that holds for every query.
    Shared(&'a [i32]),

    /// The set of query q is `items[offsets[q]..offsets[q + 1]]`.
    PerQuery {
        /// One more than there are queries.
        offsets: &'a [i64],
        /// Item indices.
        items: &'a [i32],
    },
}

/// Item sets, checked, each sorted and without duplicates.
#[derive(Debug)]
pub(crate) struct SortedSets {
    items: Vec<u32>,
    /// Where each set begins and ends in `items`.
    spans: Vec<(usize, usize)>,
    shared: bool,
}

impl SortedSets {
    /// Check and sort the sets of `queries` queries over a catalog of `catalog` items.
    ///
    /// Errors name the offsets and the items as `names` says.
    pub(crate) fn new(
        names: (&'static str, &'static str),
        sets: ItemSets,
        queries: usize,
        catalog: usize,
        workers: &Workers,
    ) -> Result<Self, Error> {
        let (offsets_name, items_name) = names;
        let whole;
        let (rows, given) = match sets {
            ItemSets::Shared(items) => {
                whole = [0, items.len() as i64];
                (Ragged::new(offsets_name, &whole, items.len())?, items)
            }
            ItemSets::PerQuery { offsets, items } => {
                (Ragged::new(offsets_name, offsets, items.len())?, items)
            }
        };
        let shared = matches!(sets, ItemSets::Shared(_));
        if !shared && rows.rows() != queries {
            return Err(Error::Length {
                argument: offsets_name,
                unit: "rows (one for each query)",
                expected: queries,
                found: rows.rows(),
            });
        }
        check_indices(items_name, given, catalog)?;
        let mut items = Vec::new();
        reserve(&mut items, given.len())?;
        items.extend(given.iter().map(|item| *item as u32));
        let mut spans = Vec::new();
        reserve(&mut spans, rows.rows())?;
        for row in 0..rows.rows() {
            let span = rows.row(row);
            let set = &mut items[span.clone()];
            sort(set, workers)?;
            let distinct = move_distinct_to_front(set);
            spans.push((span.start, span.start + distinct));
        }
        Ok(Self {
            items,
            spans,
            shared,
        })
    }

    /// Whether one set holds for every query.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// The set of a query, rising.
    pub(crate) fn of(&self, query: usize) -> &[u32] {
        let (start, end) = self.spans[if self.shared { 0 } else { query }];
        &self.items[start..end]
    }
}

/// Move the distinct values of a sorted slice to its front and return how many there are.
fn move_distinct_to_front(sorted: &mut [u32]) -> usize {
    let mut distinct = 0;
    for position in 0..sorted.len() {
        if distinct == 0 || sorted[position] != sorted[distinct - 1] {
            sorted[distinct] = sorted[position];
            distinct += 1;
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn sorted(sets: ItemSets, queries: usize) -> Result<SortedSets, Error> {
        let never = AtomicBool::new(false);
        let workers = Workers::new(Some(1), &never).unwrap();
        SortedSets::new(("offsets", "items"), sets, queries, 10, &workers)
    }

    #[test]
    fn sets_are_sorted_and_without_duplicates() {
        let offsets = [0, 4, 4, 5];
        let items = [7, 2, 7, 2, 9];
        let sets = sorted(
            ItemSets::PerQuery {
                offsets: &offsets,
                items: &items,
            },
            3,
        )
        .unwrap();
        assert_eq!(sets.of(0), [2, 7]);
        assert_eq!(sets.of(1), []);
        assert_eq!(sets.of(2), [9]);
    }

    #[test]
    fn a_shared_set_is_the_set_of_every_query() {
        let sets = sorted(ItemSets::Shared(&[3, 1, 3]), 5).unwrap();
        assert!(sets.is_shared());
        assert_eq!(sets.of(4), [1, 3]);
    }

    #[test]
    fn items_outside_the_catalog_are_refused() {
        for bad in [-1, 10, i32::MAX, i32::MIN] {
            let error = sorted(ItemSets::Shared(&[0, bad]), 1).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("items: entry 1 is {bad}, outside 0..10")
            );
        }
    }

    #[test]
    fn a_set_for_each_query_is_asked_for() {
        let sets = ItemSets::PerQuery {
            offsets: &[0, 1],
            items: &[1],
        };
        assert_eq!(
            sorted(sets, 2).unwrap_err().to_string(),
            "offsets: expected 2 rows (one for each query), got 1"
        );
    }
}
