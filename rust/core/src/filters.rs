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

/// Which items may be in the answer: one row of bytes for all queries, or one for each.
#[derive(Debug, Clone, Copy)]
pub struct Mask<'a> {
    /// A byte an item, row by row; 0 for an item that must not be.
    pub bytes: &'a [u8],
    /// One row for all queries, or as many as there are queries.
    pub rows: MaskRows,
}

/// How many rows a mask has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskRows {
    /// One that holds for every query.
    Shared,
    /// One for each query.
    PerQuery,
}

/// Which items may be in the answer; nothing said means all of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filters<'a> {
    /// Items that must not be.
    pub excluded: Option<ItemSets<'a>>,

    /// The only items that may be.
    pub only: Option<ItemSets<'a>>,

    /// The only items that may be, as a mask.
    pub mask: Option<Mask<'a>>,
}

/// A list is short if at most one item in so many is on it: then its rows are gathered. Of a longer
/// one all rows are scored, and those that are not on it dropped when they reach the floor.
const SHORT: usize = 8;

/// Filters, checked, and ready to be asked.
#[derive(Debug)]
pub(crate) struct Allowed<'a> {
    catalog: usize,
    excluded: Option<SortedSets>,
    only: Option<SortedSets>,
    mask: Option<Mask<'a>>,
    /// What the rows of a mask allow, where that is a short list.
    unmasked: Vec<Option<Vec<u32>>>,
}

impl<'a> Allowed<'a> {
    /// Check the filters of `queries` queries over a catalog of `catalog` items.
    pub(crate) fn new(
        filters: Filters<'a>,
        queries: usize,
        catalog: usize,
        workers: &Workers,
    ) -> Result<Self, Error> {
        let sorted = |names, sets: Option<ItemSets>| {
            sets.map(|sets| SortedSets::new(names, sets, queries, catalog, workers))
                .transpose()
        };
        Ok(Self {
            catalog,
            excluded: sorted(("excluded_offsets", "excluded_items"), filters.excluded)?,
            only: sorted(("only_offsets", "only_items"), filters.only)?,
            mask: filters.mask,
            unmasked: match filters.mask {
                Some(mask) => mask.short_lists(queries, catalog, workers)?,
                None => Vec::new(),
            },
        })
    }

    /// The items that a query may have, rising, if they are few. The mask has still to be asked.
    pub(crate) fn short_list(&self, query: usize) -> Option<&[u32]> {
        let only = self.only.as_ref().map(|sets| sets.of(query));
        let unmasked = self
            .mask
            .and_then(|mask| self.unmasked[mask.row(query)].as_deref());
        let short = only.filter(|list| list.len() <= self.catalog / SHORT);
        match (short, unmasked) {
            (Some(list), Some(other)) if other.len() < list.len() => Some(other),
            (Some(list), _) => Some(list),
            (None, list) => list,
        }
    }

    /// Whether all queries have the same short list, if they have one.
    pub(crate) fn short_list_is_shared(&self) -> bool {
        self.only.as_ref().is_none_or(|sets| sets.shared)
            && self.mask.is_none_or(|mask| mask.rows == MaskRows::Shared)
    }

    /// Whether an item may be in the answer of a query.
    pub(crate) fn admits(&self, query: usize, item: u32) -> bool {
        self.mask
            .is_none_or(|mask| mask.bytes[mask.row(query) * self.catalog + item as usize] != 0)
            && self.only.as_ref().is_none_or(|sets| sets.hold(query, item))
            && !self
                .excluded
                .as_ref()
                .is_some_and(|sets| sets.hold(query, item))
    }
}

impl Mask<'_> {
    fn row(&self, query: usize) -> usize {
        match self.rows {
            MaskRows::Shared => 0,
            MaskRows::PerQuery => query,
        }
    }

    /// Check the mask, and list what each row allows, where that is little.
    fn short_lists(
        &self,
        queries: usize,
        catalog: usize,
        workers: &Workers,
    ) -> Result<Vec<Option<Vec<u32>>>, Error> {
        let rows = match self.rows {
            MaskRows::Shared => 1,
            MaskRows::PerQuery => queries,
        };
        if rows.checked_mul(catalog) != Some(self.bytes.len()) {
            return Err(Error::Length {
                argument: "mask",
                unit: "values (one for each item, for all queries or for each)",
                expected: rows.saturating_mul(catalog),
                found: self.bytes.len(),
            });
        }
        let mut lists = Vec::new();
        reserve(&mut lists, rows)?;
        lists.resize(rows, None);
        workers.share_out(
            lists.iter_mut().enumerate(),
            || (),
            |(), (row, list)| {
                let bytes = &self.bytes[row * catalog..(row + 1) * catalog];
                let count = bytes.iter().filter(|byte| **byte != 0).count();
                if count <= catalog / SHORT {
                    let mut items = Vec::new();
                    reserve(&mut items, count)?;
                    let allowed = bytes.iter().zip(0..).filter(|(byte, _)| **byte != 0);
                    items.extend(allowed.map(|(_, item)| item));
                    *list = Some(items);
                }
                Ok(())
            },
        )?;
        Ok(lists)
    }
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

    /// Whether an item is in the set of a query.
    fn hold(&self, query: usize, item: u32) -> bool {
        self.of(query).binary_search(&item).is_ok()
    }

    /// The set of a query, rising.
    fn of(&self, query: usize) -> &[u32] {
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
        assert!(sets.shared);
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
