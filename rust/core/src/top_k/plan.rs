//! How the work of one call is cut into passes and blocks.

use std::ops::Range;

use crate::Error;
use crate::error::reserve;
use crate::filters::SortedSets;
use crate::item_index::ItemIndex;
use crate::kernel::{GROUP, LANES};

/// Most queries of a pass: with more, packed queries and selectors no longer stay in the caches.
const MOST_QUERIES: usize = 256;

/// Most keys that the selectors of a pass may hold, about, for each worker.
const MOST_KEYS: usize = 1 << 20;

/// Multiply-adds of a block: about a millisecond, so that stopping is quick and sharing is fair.
const BLOCK_WORK: usize = 1 << 24;

/// Most items of a block: few enough that the first floors are shared early.
const MOST_ITEMS: usize = 8_192;

/// Items that a pass scores its queries against, by rising index.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    /// The whole catalog, of this many items.
    Catalog(usize),
    /// An allow-list.
    Listed(&'a [u32]),
}

impl Source<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Catalog(items) => *items,
            Self::Listed(items) => items.len(),
        }
    }

    /// The index of the item at a position.
    pub(super) fn item(&self, position: usize) -> usize {
        match self {
            Self::Catalog(_) => position,
            Self::Listed(items) => items[position] as usize,
        }
    }
}

/// Queries that are scored together, and the items that they are scored against.
#[derive(Debug, Clone)]
pub(super) struct Pass<'a> {
    pub(super) queries: Range<usize>,
    pub(super) source: Source<'a>,
}

/// A range of positions of the source of a pass.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) pass: usize,
    pub(super) positions: Range<usize>,
}

/// All passes of a call, and k, which is never more than there are items.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) k: usize,
    pub(super) passes: Vec<Pass<'a>>,
    dimension: usize,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        index: &ItemIndex,
        queries: usize,
        k: usize,
        only: Option<&'a SortedSets>,
    ) -> Result<Self, Error> {
        let k = k.min(index.len());
        let (together, source_of) = match only {
            // Each query has its own list, so there is nothing to share between queries.
            Some(sets) if !sets.is_shared() => (1, Some(sets)),
            Some(sets) => (queries_together(k), Some(sets)),
            None => (queries_together(k), None),
        };
        let mut passes = Vec::new();
        reserve(&mut passes, queries.div_ceil(together))?;
        for first in (0..queries).step_by(together) {
            passes.push(Pass {
                queries: first..queries.min(first + together),
                source: match source_of {
                    Some(sets) => Source::Listed(sets.of(first)),
                    None => Source::Catalog(index.len()),
                },
            });
        }
        Ok(Self {
            k,
            passes,
            dimension: index.dimension(),
        })
    }

    pub(super) fn queries(&self) -> usize {
        self.passes.last().map_or(0, |pass| pass.queries.end)
    }

    /// How many items all answers have together, unless some are excluded.
    pub(super) fn longest_answer(&self) -> usize {
        self.passes
            .iter()
            .map(|pass| {
                pass.queries
                    .len()
                    .saturating_mul(self.k.min(pass.source.len()))
            })
            .fold(0, usize::saturating_add)
    }

    /// All blocks of all passes, in order.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block> {
        self.passes.iter().enumerate().flat_map(|(number, pass)| {
            let work_of_item = pass.queries.len() * self.dimension.max(1);
            let tiles = (BLOCK_WORK / work_of_item).clamp(LANES, MOST_ITEMS) / LANES;
            let (items, end) = (tiles * LANES, pass.source.len());
            (0..end).step_by(items).map(move |first| Block {
                pass: number,
                positions: first..end.min(first + items),
            })
        })
    }
}

/// How many queries are scored together, given that each may hold 2k keys.
fn queries_together(k: usize) -> usize {
    (MOST_KEYS / k.max(1) / 2).clamp(GROUP, MOST_QUERIES)
}
