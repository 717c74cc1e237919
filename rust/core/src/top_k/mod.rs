//! The k best items of every query: scoring and selection in one pass, no scores in memory.
//!
//! The work is cut into *passes*: some queries, and the items that they are scored against. Blocks
//! of a pass go to the workers in order. Where rows have codes, a worker first asks these which
//! items may reach the floor of a query, and scores only them. Otherwise it scores all items of the
//! block, tile by tile. What reaches the floor is offered to the selector of the query. Filters are
//! looked up only there.
//!
//! Why the schedule cannot change the answer: an item is dropped only when k others are known that
//! come before it, and the order, by score and then by index, is total.

mod bound;
mod merge;
mod plan;
mod scan;

use std::sync::Mutex;

use crate::Error;
use crate::error::reserve;
use crate::filters::{Allowed, Filters};
use crate::item_index::ItemIndex;
use crate::kernel::Kernel;
use crate::select::{Key, SharedFloor};
use crate::sort::sort;
use crate::workers::Workers;

use bound::QueryCodes;
use plan::Plan;
use scan::Scan;

pub use merge::{Shard, merge};
pub use plan::Path;

/// How many items are asked for, which may be in the answer, and the way to it.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// How many items a query gets at most; at least 1.
    pub k: usize,

    /// Which items may be in the answer.
    pub filters: Filters<'a>,

    /// Which way scores are found.
    pub path: Path,

    /// The code that does the counting.
    pub kernel: Kernel,
}

impl Search<'_> {
    /// The k best of all items, in the fastest way.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            filters: Filters::default(),
            path: Path::Fastest,
            kernel: Kernel::fastest(),
        }
    }
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

/// Find the best items of each of `rows` queries (row-major).
pub fn top_k(
    index: &ItemIndex,
    queries: &[f32],
    rows: usize,
    search: &Search,
    workers: &Workers,
) -> Result<Ranking, Error> {
    let Search {
        k,
        filters,
        path,
        kernel,
    } = *search;
    if k == 0 {
        return Err(Error::TooSmall {
            argument: "k",
            least: 1,
            found: 0,
        });
    }
    index.check_file()?;
    let norms = index.check_queries(queries, rows)?;
    let allowed = Allowed::new(filters, rows, index.len(), workers)?;
    let dimension = index.dimension();
    let coded = (0..rows)
        .zip(&norms)
        .map(|(row, norm)| QueryCodes::of(&queries[row * dimension..(row + 1) * dimension], *norm));
    // Without codes of the queries those of the items are of no use.
    let codes: Option<Vec<QueryCodes>> = coded.collect();
    let path = if codes.is_some() { path } else { Path::Rows };
    let plan = Plan::new(index, rows, k, &allowed, path)?;
    let mut answer = Ranking::with_room_for(rows, plan.longest_answer)?;
    let scan = Scan {
        index,
        queries,
        codes: codes.unwrap_or_default(),
        allowed: &allowed,
        kernel,
        plan: &plan,
        floors: (0..rows).map(|_| SharedFloor::new()).collect(),
        best: (0..rows).map(|_| Mutex::default()).collect(),
    };
    let mut best = scan.run(workers)?;
    workers.share_out(best.iter_mut(), || (), |(), keys| sort(keys, workers))?;
    index.check_file()?;
    for keys in best {
        answer.push(&keys);
    }
    Ok(answer)
}

impl Ranking {
    fn with_room_for(rows: usize, entries: usize) -> Result<Self, Error> {
        let mut answer = Self {
            offsets: Vec::new(),
            items: Vec::new(),
            scores: Vec::new(),
        };
        reserve(&mut answer.offsets, rows + 1)?;
        reserve(&mut answer.items, entries)?;
        reserve(&mut answer.scores, entries)?;
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
