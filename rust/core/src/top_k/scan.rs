//! What a worker does with a block: find what may reach the floor, score it, and offer it.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::Error;
use crate::filters::Allowed;
use crate::item_index::codes::Codes;
use crate::item_index::{ItemIndex, Rows};
use crate::kernel::codes::{BLOCK, Queries, Reached, TILES};
use crate::kernel::floats::{FEW, Group, Hits, Scores, Tile};
use crate::kernel::{GROUP, Kernel, LANES, fetch};
use crate::select::{Key, Selector, SharedFloor};
use crate::workers::Workers;

use super::bound::QueryCodes;
use super::plan::{Block, Pass, Plan, Source};

/// Most blocks for which codes are not asked after they were of no use.
const MOST_BY_ROWS: usize = 16;

/// Everything that the workers of one call share.
pub(super) struct Scan<'a> {
    pub(super) index: &'a ItemIndex,
    pub(super) queries: &'a [f32],
    /// One a query, or none where a pass has no codes.
    pub(super) codes: Vec<QueryCodes>,
    pub(super) allowed: &'a Allowed<'a>,
    pub(super) kernel: Kernel,
    pub(super) plan: &'a Plan<'a>,
    pub(super) floors: Vec<SharedFloor>,
    pub(super) best: Vec<Mutex<Vec<Key>>>,
}

impl<'a> Scan<'a> {
    /// Return the best k keys of every query, in no order.
    pub(super) fn run(self, workers: &Workers) -> Result<Vec<Vec<Key>>, Error> {
        // Until k items are known there is nothing to compare codes with.
        workers.share_out(
            self.plan
                .passes
                .iter()
                .enumerate()
                .filter(|(_, pass)| pass.head > 0),
            || (),
            |(), (number, pass)| {
                let mut scanner = Scanner::new(&self, number);
                scanner.scan_rows(0..pass.head)?;
                scanner.finish();
                Ok(())
            },
        )?;
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
                    .scan(block)
            },
        )?;
        busy.into_iter().flatten().for_each(Scanner::finish);
        let take = |keys: Mutex<_>| keys.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(self.best.into_iter().map(take).collect())
    }

    fn query(&self, query: usize) -> &'a [f32] {
        let dimension = self.index.dimension();
        &self.queries[query * dimension..(query + 1) * dimension]
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
    /// One a query of the pass.
    waiting: Vec<Waiting>,
    packed: Vec<f32>,
    scores: Scores,
}

/// Queries of a pass that are scored together.
struct Members {
    /// Counted from the first query of the pass.
    places: Range<usize>,
    /// Dimension by dimension, as the kernel wants them.
    queries: Vec<f32>,
    /// As the kernel wants them; empty if the pass has no codes.
    pairs: Vec<i32>,
    /// Blocks for which codes are not asked.
    by_rows: usize,
    /// For how many they are not the next time that they are of no use.
    patience: usize,
}

/// Rows that passed the codes of a query and are not yet scored.
#[derive(Clone, Copy, Default)]
struct Waiting {
    rows: [u32; LANES],
    count: usize,
}

/// A tile at consecutive positions, and how many of its lanes hold an item; the lanes beyond repeat
/// the last.
struct Load<'a> {
    first: usize,
    lanes: usize,
    tile: Tile<'a>,
}

impl<'a> Load<'a> {
    fn new(source: &Source<'a>, positions: Range<usize>) -> Result<Self, Error> {
        let lanes = positions.len().min(LANES);
        let first = positions.start;
        let tile = match source {
            Source::Rows(rows) if lanes == LANES => rows.tile(first),
            _ => {
                let mut places = [(None, 0); LANES];
                for (lane, place) in places.iter_mut().enumerate() {
                    let (rows, row) = source.row(first + lane.min(lanes - 1))?;
                    *place = (Some(rows), row);
                }
                tile_of(places.map(|(rows, row)| (rows.expect("every lane has a row"), row)))
            }
        };
        Ok(Self { first, lanes, tile })
    }
}

/// The tile of 16 rows that stand anywhere.
fn tile_of<'a>(places: [(&'a Rows, usize); LANES]) -> Tile<'a> {
    Tile {
        rows: places.map(|(rows, row)| rows.vector(row)),
        biases: places.map(|(rows, row)| rows.bias(row)),
    }
}

impl<'s, 'a> Scanner<'s, 'a> {
    fn new(scan: &'s Scan<'a>, pass: usize) -> Self {
        let Pass {
            queries, source, ..
        } = &scan.plan.passes[pass];
        let selector = || Selector::new(scan.plan.k, source.is_rising());
        Self {
            scan,
            pass,
            groups: groups(scan, queries, source),
            selectors: queries.iter().map(|_| selector()).collect(),
            floors: vec![f32::NEG_INFINITY; queries.len()],
            waiting: vec![Waiting::default(); queries.len()],
            packed: vec![0.0; scan.index.dimension() * LANES],
            scores: [[0.0; LANES]; GROUP],
        }
    }

    fn pass(&self) -> &'s Pass<'a> {
        &self.scan.plan.passes[self.pass]
    }

    fn scan(&mut self, block: Block) -> Result<(), Error> {
        (0..self.floors.len()).for_each(|place| self.refresh(place));
        match self.pass().source {
            Source::Codes(rows, codes) => self.scan_codes(rows, codes, block.positions),
            _ => self.scan_rows(block.positions),
        }
    }

    /// Score items for all queries.
    fn scan_rows(&mut self, positions: Range<usize>) -> Result<(), Error> {
        let source = &self.pass().source;
        let Range { start, end } = positions;
        let many = self.floors.len() > FEW;
        let mut next = Load::new(source, start..end)?;
        for first in (start..end).step_by(LANES) {
            let load = next;
            // After the last tile there is none to fetch; its own last item will do.
            next = Load::new(source, (first + LANES).min(end - 1)..end)?;
            if many {
                self.scan
                    .kernel
                    .pack(&load.tile, &next.tile, &mut self.packed);
            }
            for group in 0..self.groups.len() {
                let hits = self.score(group, many, &load.tile, &next.tile);
                self.offer(group, hits, &load)?;
            }
        }
        Ok(())
    }

    /// Ask the codes of items for each group, and score what they let pass.
    fn scan_codes(
        &mut self,
        rows: &'a Rows,
        codes: &'a Codes,
        positions: Range<usize>,
    ) -> Result<(), Error> {
        for block in positions.start / BLOCK..positions.end.div_ceil(BLOCK) {
            let positions = block * BLOCK..positions.end.min((block + 1) * BLOCK);
            for group in 0..self.groups.len() {
                let members = &mut self.groups[group];
                if members.by_rows > 0 {
                    members.by_rows -= 1;
                    self.score_block(group, positions.clone())?;
                } else {
                    self.ask(group, rows, codes, positions.clone())?;
                }
            }
        }
        Ok(())
    }

    /// Ask the codes of a block for a group.
    fn ask(
        &mut self,
        group: usize,
        rows: &'a Rows,
        codes: &'a Codes,
        positions: Range<usize>,
    ) -> Result<(), Error> {
        let block = positions.start / BLOCK;
        let bounds = codes.bounds(block);
        let Members { places, pairs, .. } = &self.groups[group];
        let places = places.clone();
        let (mut starts, mut scales, mut floors) =
            ([0; GROUP], [0.0; GROUP], [f32::INFINITY; GROUP]);
        let mut alive = 0;
        for (member, place) in places.clone().enumerate() {
            let query = &self.scan.codes[self.pass().queries[place]];
            scales[member] = query.scale;
            if let Some(asked) = query.asked(self.floors[place], &bounds, rows.largest_bias()) {
                (starts[member], floors[member]) = (asked.start, asked.floor);
                alive += 1;
            }
        }
        if alive == 0 {
            return Ok(());
        }
        let queries = Queries {
            pairs,
            starts: &starts[..places.len()],
            scales: &scales[..places.len()],
            floors: &floors[..places.len()],
        };
        let mut reached: Reached = [[0; TILES]; GROUP];
        if !self
            .scan
            .kernel
            .reach(&codes.block(block), &queries, &mut reached)
        {
            return Ok(());
        }
        let mut passed = 0;
        for (member, place) in places.enumerate() {
            for (tile, bits) in reached[member].iter().enumerate() {
                for lane in lanes(u32::from(*bits)) {
                    let position = positions.start + tile * LANES + lane;
                    if position < positions.end {
                        passed += 1;
                        self.wait(place, rows, codes.row(position)?);
                    }
                }
            }
        }
        let members = &mut self.groups[group];
        // To score a row for several queries together costs about as much as to score one by itself.
        if passed * (1 + members.places.len()) > alive * positions.len() {
            members.by_rows = members.patience;
            members.patience = MOST_BY_ROWS.min(2 * members.patience);
        } else {
            members.patience = 1;
        }
        Ok(())
    }

    /// Put a row that passed the codes among those that wait, and score them if they fill a tile.
    fn wait(&mut self, place: usize, rows: &'a Rows, row: usize) {
        if !self.admits(self.pass().queries[place], rows.item(row)) {
            return;
        }
        fetch(rows.vector(row));
        let waiting = &mut self.waiting[place];
        waiting.rows[waiting.count] = row as u32;
        waiting.count += 1;
        if waiting.count == LANES {
            self.score_waiting(place, rows);
        }
    }

    /// Score the rows that wait for a query.
    fn score_waiting(&mut self, place: usize, rows: &'a Rows) {
        let Waiting {
            rows: waiting,
            count,
        } = std::mem::take(&mut self.waiting[place]);
        if count == 0 {
            return;
        }
        let row_of = |lane: usize| waiting[lane.min(count - 1)] as usize;
        let tile = tile_of(std::array::from_fn(|lane| (rows, row_of(lane))));
        let query = self.pass().queries[place];
        let alone = Group {
            queries: self.scan.query(query),
            floors: &self.floors[place..=place],
        };
        let kernel = self.scan.kernel;
        let hits = kernel.score_rows(&tile, &tile, alone, &mut self.packed, &mut self.scores);
        for lane in lanes(hits[0]).take_while(|lane| *lane < count) {
            self.take(place, 0, lane, rows.item(row_of(lane)));
        }
        self.refresh(place);
    }

    /// Score the rows of a block for a group.
    fn score_block(&mut self, group: usize, positions: Range<usize>) -> Result<(), Error> {
        let source = &self.pass().source;
        let end = positions.end;
        for first in positions.step_by(LANES) {
            let load = Load::new(source, first..end)?;
            let hits = self.score(group, false, &load.tile, &load.tile);
            self.offer(group, hits, &load)?;
        }
        Ok(())
    }

    /// Score a tile, which is `packed` already or not, for a group of queries.
    fn score(&mut self, group: usize, packed: bool, tile: &Tile, next: &Tile) -> Hits {
        let kernel = self.scan.kernel;
        let Members {
            places, queries, ..
        } = &self.groups[group];
        let group = Group {
            queries,
            floors: &self.floors[places.clone()],
        };
        if packed {
            kernel.score_packed(&self.packed, &tile.biases, group, &mut self.scores)
        } else {
            kernel.score_rows(tile, next, group, &mut self.packed, &mut self.scores)
        }
    }

    /// Offer the items of the lanes that reached the floor of a query of the group.
    fn offer(&mut self, group: usize, hits: Hits, load: &Load) -> Result<(), Error> {
        if hits == [0; GROUP] {
            return Ok(());
        }
        for (member, place) in self.groups[group].places.clone().enumerate() {
            let query = self.pass().queries[place];
            for lane in lanes(hits[member]).take_while(|lane| *lane < load.lanes) {
                let (rows, row) = self.pass().source.row(load.first + lane)?;
                if self.admits(query, rows.item(row)) {
                    self.take(place, member, lane, rows.item(row));
                }
            }
            self.refresh(place);
        }
        Ok(())
    }

    /// Take in an item that may be in the answer of a query.
    fn take(&mut self, place: usize, member: usize, lane: usize, item: u32) {
        let shared = &self.scan.floors[self.pass().queries[place]];
        self.selectors[place].offer(Key::new(self.scores[member][lane], item), shared);
    }

    /// Ask the floor of a query anew.
    fn refresh(&mut self, place: usize) {
        let shared = &self.scan.floors[self.pass().queries[place]];
        self.floors[place] = self.selectors[place].floor(shared);
    }

    /// Whether an item of the pass may be in the answer of a query.
    fn admits(&self, query: usize, item: u32) -> bool {
        let Scan { index, allowed, .. } = self.scan;
        match self.pass().source {
            Source::Listed(..) => allowed.admits(query, item),
            Source::Rows(rows) | Source::Codes(rows, _) => {
                // A row is out of date if a newer segment has the item too.
                (index.segments().len() == 1 || std::ptr::eq(index.find(item).0, rows))
                    && allowed.admits(query, item)
            }
        }
    }

    /// Hand over what was chosen.
    fn finish(mut self) {
        if let Source::Codes(rows, _) = self.pass().source {
            (0..self.waiting.len()).for_each(|place| self.score_waiting(place, rows));
        }
        let queries = &self.pass().queries;
        for (selector, query) in self.selectors.into_iter().zip(queries) {
            let mut best = self.scan.best[*query]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            selector.merge_into(&mut best, &self.scan.floors[*query]);
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
fn groups(scan: &Scan, queries: &[usize], source: &Source) -> Vec<Members> {
    let count = queries.len().div_ceil(GROUP);
    let pairs = match source {
        Source::Codes(..) => scan.index.dimension().div_ceil(2),
        _ => 0,
    };
    let members = |group| {
        let places = group * queries.len() / count..(group + 1) * queries.len() / count;
        let members = &queries[places.clone()];
        let packed = (0..scan.index.dimension())
            .flat_map(|step| members.iter().map(move |query| scan.query(*query)[step]));
        let coded = (0..pairs).flat_map(|pair| {
            members
                .iter()
                .map(move |query| scan.codes[*query].pairs[pair])
        });
        Members {
            queries: packed.collect(),
            pairs: coded.collect(),
            by_rows: 0,
            patience: 1,
            places,
        }
    };
    (0..count).map(members).collect()
}
