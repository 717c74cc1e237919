//! What a worker does with a block: pack, score, offer.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::Error;
use crate::filters::SortedSets;
use crate::item_index::ItemIndex;
use crate::kernel::{GROUP, Kernel, LANES, TileScores};
use crate::select::{Key, Selector, SharedFloor};
use crate::workers::Workers;

use super::plan::{Block, Pass, Plan};

/// Everything that the workers of one call share.
pub(super) struct Scan<'a> {
    index: &'a ItemIndex,
    queries: &'a [f32],
    excluded: Option<&'a SortedSets>,
    kernel: Kernel,
    plan: &'a Plan<'a>,
    floors: Vec<SharedFloor>,
    best: Vec<Mutex<Vec<Key>>>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(
        index: &'a ItemIndex,
        queries: &'a [f32],
        excluded: Option<&'a SortedSets>,
        kernel: Kernel,
        plan: &'a Plan<'a>,
    ) -> Self {
        Self {
            index,
            queries,
            excluded,
            kernel,
            plan,
            floors: (0..plan.queries()).map(|_| SharedFloor::new()).collect(),
            best: (0..plan.queries())
                .map(|_| Mutex::new(Vec::new()))
                .collect(),
        }
    }

    /// Return the best k keys of every query, in no order.
    pub(super) fn run(self, workers: &Workers) -> Result<Vec<Vec<Key>>, Error> {
        let busy = workers.share_out(
            self.plan.blocks().into_iter(),
            || None,
            |scanner: &mut Option<Scanner>, block| {
                // Blocks come in order, so a worker never returns to a pass that it has left.
                if scanner.as_ref().is_some_and(|busy| busy.pass != block.pass) {
                    scanner.take().into_iter().for_each(|done| done.finish());
                }
                scanner
                    .get_or_insert_with(|| Scanner::new(&self, block.pass))
                    .scan(&block);
                Ok(())
            },
        )?;
        busy.into_iter().flatten().for_each(Scanner::finish);
        let take = |keys: Mutex<_>| keys.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(self.best.into_iter().map(take).collect())
    }
}

/// Queries that one tile is scored for at once.
struct Group {
    /// Counted from the first query of the pass.
    members: Range<usize>,
    /// Dimension by dimension, as the kernel wants them.
    packed: Vec<f32>,
}

/// One worker, busy with one pass.
struct Scanner<'s, 'a> {
    scan: &'s Scan<'a>,
    pass: usize,
    groups: Vec<Group>,
    selectors: Vec<Selector>,
    /// One a query of the pass: a score below it need not be offered.
    floors: Vec<f32>,
    tile: Vec<f32>,
    scores: TileScores,
}

impl<'s, 'a> Scanner<'s, 'a> {
    fn new(scan: &'s Scan<'a>, pass: usize) -> Self {
        let Pass { queries, .. } = &scan.plan.passes[pass];
        let dimension = scan.index.dimension();
        Self {
            scan,
            pass,
            groups: groups(scan.queries, dimension, queries),
            selectors: queries
                .clone()
                .map(|_| Selector::new(scan.plan.k))
                .collect(),
            floors: vec![f32::NEG_INFINITY; queries.len()],
            tile: vec![0.0; dimension * LANES],
            scores: [[0.0; LANES]; GROUP],
        }
    }

    fn scan(&mut self, block: &Block) {
        let Scan {
            index,
            plan,
            kernel,
            ..
        } = self.scan;
        let Pass { queries, source } = &plan.passes[self.pass];
        let shared = &self.scan.floors[queries.clone()];
        for ((floor, selector), shared) in self.floors.iter_mut().zip(&self.selectors).zip(shared) {
            *floor = selector.floor(shared);
        }
        for first in block.positions.clone().step_by(LANES) {
            let lanes = LANES.min(block.positions.end - first);
            // Lanes beyond the last item repeat it; their hits are not looked at.
            let items: [usize; LANES] =
                std::array::from_fn(|lane| source.item(first + lane.min(lanes - 1)));
            let biases = items.map(|item| index.bias(item));
            kernel.pack(&items.map(|item| index.vector(item)), &mut self.tile);
            for group in 0..self.groups.len() {
                let Group { members, packed } = &self.groups[group];
                let hits = kernel.score(
                    &self.tile,
                    &biases,
                    packed,
                    &self.floors[members.clone()],
                    &mut self.scores,
                );
                for (place, member) in members.clone().enumerate() {
                    let hits = hits[place] & (u32::MAX >> (u32::BITS as usize - lanes));
                    if hits != 0 {
                        self.offer(member, place, hits, &items);
                    }
                }
            }
        }
    }

    /// Offer the items of a tile whose lanes are set in `hits` to one query.
    #[cold]
    fn offer(&mut self, member: usize, place: usize, mut hits: u32, items: &[usize; LANES]) {
        let query = self.scan.plan.passes[self.pass].queries.start + member;
        let shared = &self.scan.floors[query];
        let excluded = self.scan.excluded.map_or(&[][..], |sets| sets.of(query));
        while hits != 0 {
            let lane = hits.trailing_zeros() as usize;
            hits &= hits - 1;
            let item = items[lane] as u32;
            if excluded.binary_search(&item).is_err() {
                self.selectors[member].offer(Key::new(self.scores[place][lane], item), shared);
            }
        }
        self.floors[member] = self.selectors[member].floor(shared);
    }

    /// Hand over what was chosen.
    fn finish(self) {
        let queries = self.scan.plan.passes[self.pass].queries.clone();
        for (selector, best) in self.selectors.into_iter().zip(&self.scan.best[queries]) {
            selector.merge_into(&mut best.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// Split the queries of a pass into groups of about one size, and pack each.
fn groups(queries: &[f32], dimension: usize, rows: &Range<usize>) -> Vec<Group> {
    let count = rows.len().div_ceil(GROUP);
    (0..count)
        .map(|group| {
            let members = group * rows.len() / count..(group + 1) * rows.len() / count;
            let mut packed = Vec::with_capacity(members.len() * dimension);
            for step in 0..dimension {
                for member in members.clone() {
                    packed.push(queries[(rows.start + member) * dimension + step]);
                }
            }
            Group { members, packed }
        })
        .collect()
}
