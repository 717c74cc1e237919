//! What a worker does with a block: score tile by tile, and offer what reaches the floor.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::Error;
use crate::filters::SortedSets;
use crate::item_index::ItemIndex;
use crate::kernel::{FEW, GROUP, Group, Hits, Kernel, LANES, Scores, Tile};
use crate::select::{Key, Selector, SharedFloor};
use crate::workers::Workers;

use super::plan::{Block, Pass, Plan, Source};

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
        let rows = 0..plan.queries();
        Self {
            index,
            queries,
            excluded,
            kernel,
            plan,
            floors: rows.clone().map(|_| SharedFloor::new()).collect(),
            best: rows.map(|_| Mutex::new(Vec::new())).collect(),
        }
    }

    /// Return the best k keys of every query, in no order.
    pub(super) fn run(self, workers: &Workers) -> Result<Vec<Vec<Key>>, Error> {
        let busy = workers.share_out(
            self.plan.blocks(),
            || None,
            |scanner: &mut Option<Scanner>, block| {
                // Blocks come in order, so a worker never returns to a pass that it has left.
                if let Some(done) = scanner.take_if(|busy| busy.pass != block.pass) {
                    done.finish();
                }
                scanner
                    .get_or_insert_with(|| Scanner::new(&self, block.pass))
                    .scan(block);
                Ok(())
            },
        )?;
        busy.into_iter().flatten().for_each(Scanner::finish);
        let take = |keys: Mutex<_>| keys.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(self.best.into_iter().map(take).collect())
    }
}

/// One worker, busy with one pass.
struct Scanner<'s, 'a> {
    scan: &'s Scan<'a>,
    pass: usize,
    groups: Vec<Members>,
    selectors: Vec<Selector>,
    /// One a query of the pass: a score below it need not be offered.
    floors: Vec<f32>,
    packed: Vec<f32>,
    scores: Scores,
}

/// Queries of a pass that are scored together.
struct Members {
    /// Counted from the first query of the pass.
    places: Range<usize>,
    /// Dimension by dimension, as the kernel wants them.
    queries: Vec<f32>,
}

/// Items of a tile, and how many of its lanes hold one; the lanes beyond repeat the last.
struct Load<'a> {
    items: [usize; LANES],
    lanes: usize,
    tile: Tile<'a>,
}

impl<'a> Load<'a> {
    fn new(index: &'a ItemIndex, source: &Source, positions: Range<usize>) -> Self {
        let lanes = positions.len().min(LANES);
        let items = std::array::from_fn(|lane| source.item(positions.start + lane.min(lanes - 1)));
        let tile = Tile {
            rows: items.map(|item| index.vector(item)),
            biases: items.map(|item| index.bias(item)),
        };
        Self { items, lanes, tile }
    }
}

impl<'s, 'a> Scanner<'s, 'a> {
    fn new(scan: &'s Scan<'a>, pass: usize) -> Self {
        let queries = &scan.plan.passes[pass].queries;
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
            packed: vec![0.0; dimension * LANES],
            scores: [[0.0; LANES]; GROUP],
        }
    }

    /// Score the items of a block; none of them comes before an item of an earlier block.
    fn scan(&mut self, block: Block) {
        let Scan {
            index,
            plan,
            kernel,
            floors,
            ..
        } = self.scan;
        let Pass { queries, source } = &plan.passes[self.pass];
        for (place, query) in queries.clone().enumerate() {
            self.floors[place] = self.selectors[place].floor(&floors[query]);
        }
        let Range { start, end } = block.positions;
        let mut next = Load::new(index, source, start..end);
        for first in (start..end).step_by(LANES) {
            let load = next;
            // After the last tile there is none to fetch; its own last item will do.
            next = Load::new(index, source, (first + LANES).min(end - 1)..end);
            if queries.len() > FEW {
                kernel.pack(&load.tile, &next.tile, &mut self.packed);
            }
            for group in 0..self.groups.len() {
                let hits = self.score(group, &load.tile, &next.tile);
                if hits != [0; GROUP] {
                    self.offer(group, hits, &load);
                }
            }
        }
    }

    /// Score a tile, packed already unless the queries are few, for a group of queries.
    fn score(&mut self, group: usize, tile: &Tile, next: &Tile) -> Hits {
        let kernel = self.scan.kernel;
        let Members { places, queries } = &self.groups[group];
        let group = Group {
            queries,
            floors: &self.floors[places.clone()],
        };
        if self.floors.len() > FEW {
            kernel.score_packed(&self.packed, &tile.biases, group, &mut self.scores)
        } else {
            kernel.score_rows(tile, next, group, &mut self.packed, &mut self.scores)
        }
    }

    /// Offer the items of the lanes that reached the floor of a query of the group.
    fn offer(&mut self, group: usize, hits: Hits, load: &Load) {
        let first_query = self.scan.plan.passes[self.pass].queries.start;
        for (member, place) in self.groups[group].places.clone().enumerate() {
            let query = first_query + place;
            let shared = &self.scan.floors[query];
            let excluded = self.scan.excluded.map_or(&[][..], |sets| sets.of(query));
            for lane in lanes(hits[member]).take_while(|lane| *lane < load.lanes) {
                let item = load.items[lane] as u32;
                if excluded.binary_search(&item).is_err() {
                    let key = Key::new(self.scores[member][lane], item);
                    self.selectors[place].offer(key, shared);
                }
            }
            self.floors[place] = self.selectors[place].floor(shared);
        }
    }

    /// Hand over what was chosen.
    fn finish(self) {
        let queries = self.scan.plan.passes[self.pass].queries.clone();
        for (selector, best) in self.selectors.into_iter().zip(&self.scan.best[queries]) {
            selector.merge_into(&mut best.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// The lanes whose bits are set, rising.
fn lanes(mut bits: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lane = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(lane)
    })
}

/// Split the queries of a pass into groups of about one size, and pack each.
fn groups(queries: &[f32], dimension: usize, rows: &Range<usize>) -> Vec<Members> {
    let count = rows.len().div_ceil(GROUP);
    let members = |group| {
        let places = group * rows.len() / count..(group + 1) * rows.len() / count;
        let packed = (0..dimension).flat_map(|step| {
            let value = move |place| queries[(rows.start + place) * dimension + step];
            places.clone().map(value)
        });
        Members {
            queries: packed.collect(),
            places: places.clone(),
        }
    };
    (0..count).map(members).collect()
}
