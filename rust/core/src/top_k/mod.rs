//! The k best items of every query: scoring and selection in one pass, no scores in memory.
//!
//! The work is cut into *passes*: a range of queries, and the items that they are scored against.
//! Blocks of a pass go to the workers in order. A worker packs the items of a block tile by tile,
//! scores each tile for all queries of the pass, and offers what reaches a query's floor to the
//! selector of that query. Exclusions are looked up only there.
//!
//! Why the schedule cannot change the answer: an item is dropped only when k others are known that
//! come before it, and the order, by score and then by index, is total.

mod plan;
mod scan;

use crate::Error;
use crate::error::reserve;
use crate::filters::{ItemSets, SortedSets};
use crate::item_index::ItemIndex;
use crate::kernel::Kernel;
use crate::select::Key;
use crate::sort::sort;
use crate::workers::Workers;

use plan::Plan;
use scan::Scan;

/// Which items may be in the answer; nothing said means all of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filters<'a> {
    /// Items that must not be.
    pub excluded: Option<ItemSets<'a>>,

    /// The only items that may be.
    pub only: Option<ItemSets<'a>>,
}

/// Items and scores of all queries, best first; a query may have fewer than k.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// The items of query q are those from `offsets[q]` to `offsets[q + 1]`.
    pub offsets: Vec<i64>,

    /// Item indices.
    pub items: Vec<i32>,

    /// Canonical scores.
    pub scores: Vec<f32>,
}

/// Find the k best items of each of `rows` queries (row-major).
pub fn top_k(
    index: &ItemIndex,
    queries: &[f32],
    rows: usize,
    k: usize,
    filters: Filters,
    kernel: Kernel,
    workers: &Workers,
) -> Result<Ranking, Error> {
    if k == 0 {
        return Err(Error::TooSmall {
            argument: "k",
            least: 1,
            found: 0,
        });
    }
    index.check_queries(queries, rows)?;
    let sorted = |names, sets| SortedSets::new(names, sets, rows, index.len(), workers);
    let excluded = filters
        .excluded
        .map(|sets| sorted(("excluded_offsets", "excluded_items"), sets))
        .transpose()?;
    let only = filters
        .only
        .map(|sets| sorted(("only_offsets", "only_items"), sets))
        .transpose()?;
    let plan = Plan::new(index, rows, k, only.as_ref())?;
    let mut answer = Ranking::with_room_for(&plan)?;
    let scan = Scan::new(index, queries, excluded.as_ref(), kernel, &plan);
    let mut best = scan.run(workers)?;
    workers.share_out(best.iter_mut(), || (), |(), keys| sort(keys, workers))?;
    for keys in best {
        answer.push(&keys);
    }
    Ok(answer)
}

impl Ranking {
    fn with_room_for(plan: &Plan) -> Result<Self, Error> {
        let mut answer = Self {
            offsets: Vec::new(),
            items: Vec::new(),
            scores: Vec::new(),
        };
        reserve(&mut answer.offsets, plan.queries() + 1)?;
        reserve(&mut answer.items, plan.longest_answer())?;
        reserve(&mut answer.scores, plan.longest_answer())?;
        answer.offsets.push(0);
        Ok(answer)
    }

    fn push(&mut self, keys: &[Key]) {
        self.items.extend(keys.iter().map(|key| key.item() as i32));
        self.scores.extend(keys.iter().map(|key| key.score()));
        self.offsets.push(self.items.len() as i64);
    }
}

#[cfg(test)]
mod tests;
