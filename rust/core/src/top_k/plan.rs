//! How the work of one call is cut into passes and blocks.

use std::ops::Range;

use crate::Error;
use crate::error::reserve;
use crate::filters::Allowed;
use crate::item_index::codes::Codes;
use crate::item_index::{ItemIndex, Rows};
use crate::kernel::codes::BLOCK;
use crate::kernel::{GROUP, LANES};

/// Most queries of a pass: with more, packed queries and selectors no longer stay in the caches.
const MOST_QUERIES: usize = 256;

/// Most keys that the selectors of a pass may hold, about, for each worker.
const MOST_KEYS: usize = 1 << 20;

/// Multiply-adds of a block: about a millisecond, so that stopping is quick and sharing is fair.
const BLOCK_WORK: usize = 1 << 24;

/// Most items of a block: few enough that the first floors are shared early.
const MOST_ITEMS: usize = 8_192;

/// With less than so many items for each of the k, codes let too many pass.
const ITEMS_PER_K: usize = 16;

/// Which way scores are found. The answer is the same, to the bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Path {
    /// As the data make it faster.
    #[default]
    Fastest,
    /// By codes, where there are any, and then by rows what they let pass.
    Codes,
    /// By rows alone.
    Rows,
}

/// Items that a pass scores its queries against.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    /// The rows of a segment, as they stand.
    Rows(&'a Rows),
    /// The rows of a segment by falling norm, with their codes.
    Codes(&'a Rows, &'a Codes),
    /// An allow-list, rising.
    Listed(&'a ItemIndex, &'a [u32]),
}

impl<'a> Source<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Rows(rows) | Self::Codes(rows, _) => rows.len(),
            Self::Listed(_, items) => items.len(),
        }
    }

    /// The rows, and which of them, for the item at a position.
    #[inline]
    pub(super) fn row(&self, position: usize) -> Result<(&'a Rows, usize), Error> {
        match *self {
            Self::Rows(rows) => Ok((rows, position)),
            Self::Codes(rows, codes) => codes.row(position).map(|row| (rows, row)),
            Self::Listed(index, items) => Ok(index.find(items[position])),
        }
    }

    /// Whether items come by rising index.
    pub(super) fn is_rising(&self) -> bool {
        !matches!(self, Self::Codes(..))
    }
}

/// Queries that are scored together, and the items that they are scored against.
#[derive(Debug, Clone)]
pub(super) struct Pass<'a> {
    pub(super) queries: Vec<usize>,
    pub(super) source: Source<'a>,
    /// Positions before this one are looked at first, by themselves, to know what is to be beaten.
    pub(super) head: usize,
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
    /// How many items all answers have together at most.
    pub(super) longest_answer: usize,
    dimension: usize,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        index: &'a ItemIndex,
        queries: usize,
        k: usize,
        allowed: &'a Allowed,
        path: Path,
    ) -> Result<Self, Error> {
        let k = k.min(index.len());
        let mut plan = Self {
            k,
            passes: Vec::new(),
            longest_answer: 0,
            dimension: index.dimension(),
        };
        let mut of_all = Vec::new();
        reserve(&mut of_all, queries)?;
        for query in 0..queries {
            match allowed.short_list(query) {
                // Each query has its own list, so there is nothing to share between queries.
                Some(list) if !allowed.short_list_is_shared() => {
                    plan.add(&[query], Source::Listed(index, list));
                }
                _ => of_all.push(query),
            }
        }
        for queries in of_all.chunks(queries_together(k)) {
            if let Some(list) = allowed.short_list(queries[0]) {
                plan.add(queries, Source::Listed(index, list));
                continue;
            }
            for segment in index.segments() {
                let rows = &segment.rows;
                let source = match (&segment.codes, path) {
                    (Some(codes), Path::Codes) => Source::Codes(rows, codes),
                    (Some(codes), Path::Fastest) if rows.len() / ITEMS_PER_K >= k => {
                        Source::Codes(rows, codes)
                    }
                    _ => Source::Rows(rows),
                };
                plan.add(queries, source);
            }
        }
        Ok(plan)
    }

    fn add(&mut self, queries: &[usize], source: Source<'a>) {
        let answers = queries.len().saturating_mul(self.k.min(source.len()));
        self.longest_answer = self.longest_answer.saturating_add(answers);
        let head = match source {
            Source::Codes(..) => self
                .k
                .saturating_mul(2)
                .next_multiple_of(BLOCK)
                .min(source.len()),
            _ => 0,
        };
        self.passes.push(Pass {
            queries: queries.to_vec(),
            source,
            head,
        });
    }

    /// All blocks of all passes, in order.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block> {
        self.passes.iter().enumerate().flat_map(|(number, pass)| {
            let work_of_item = pass.queries.len() * self.dimension.max(1);
            let together = match pass.source {
                Source::Codes(..) => BLOCK,
                _ => LANES,
            };
            let items =
                (BLOCK_WORK / work_of_item).clamp(together, MOST_ITEMS) / together * together;
            let end = pass.source.len();
            (pass.head..end).step_by(items).map(move |first| Block {
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
