//! Top-k against a sort of all scores.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;
use crate::filters::{ItemSets, Mask, MaskRows};

static NEVER: AtomicBool = AtomicBool::new(false);

fn workers(count: usize) -> Workers<'static> {
    Workers::new(Some(count), &NEVER).unwrap()
}

/// A catalog and queries of small integers: sums are exact, and ties are many.
#[derive(Debug, Clone)]
struct Case {
    vectors: Vec<f32>,
    biases: Vec<f32>,
    queries: Vec<f32>,
    rows: usize,
    dimension: usize,
    sets: Vec<Vec<i32>>,
}

prop_compose! {
    fn case()(dimension in 0_usize..12, items in 0_usize..70, rows in 0_usize..15)(
        vectors in proptest::collection::vec((-2_i8..3).prop_map(f32::from), items * dimension),
        biases in proptest::collection::vec((-1_i8..2).prop_map(f32::from), items),
        queries in proptest::collection::vec((-2_i8..3).prop_map(f32::from), rows * dimension),
        sets in proptest::collection::vec(
            proptest::collection::vec(0..items.max(1) as i32, if items == 0 { 0..1 } else { 0..90 }),
            rows),
        rows in Just(rows),
        dimension in Just(dimension),
    ) -> Case {
        Case { vectors, biases, queries, rows, dimension, sets }
    }
}

impl Case {
    fn index(&self) -> ItemIndex {
        ItemIndex::new(
            &self.vectors,
            self.biases.len(),
            self.dimension,
            &self.biases,
            &workers(2),
        )
        .unwrap()
    }

    fn offsets(&self) -> Vec<i64> {
        let mut offsets = vec![0];
        for set in &self.sets {
            offsets.push(offsets[offsets.len() - 1] + set.len() as i64);
        }
        offsets
    }

    fn score(&self, row: usize, item: usize) -> f32 {
        let sum: f32 = (0..self.dimension)
            .map(|step| {
                self.queries[row * self.dimension + step]
                    * self.vectors[item * self.dimension + step]
            })
            .sum();
        sum + self.biases[item]
    }

    /// Sort everything that is allowed.
    fn expected(&self, k: usize, allowed: impl Fn(usize, i32) -> bool) -> Ranking {
        let mut answer = Ranking {
            offsets: vec![0],
            items: vec![],
            scores: vec![],
        };
        for row in 0..self.rows {
            let mut items: Vec<i32> = (0..self.biases.len() as i32)
                .filter(|&item| allowed(row, item))
                .collect();
            let score = |item: &i32| self.score(row, *item as usize);
            items.sort_by(|a, b| score(b).partial_cmp(&score(a)).unwrap());
            items.truncate(k);
            answer.scores.extend(items.iter().map(score));
            answer.items.extend(items);
            answer.offsets.push(answer.items.len() as i64);
        }
        answer
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn top_k_is_the_head_of_a_stable_sort(
        case in case(), k in 1_usize..80, count in 1_usize..4, scalar: bool
    ) {
        let kernel = if scalar { Kernel::scalar() } else { Kernel::fastest() };
        let found = top_k(&case.index(), &case.queries, case.rows, &Search { kernel, ..Search::new(k) }, &workers(count));
        prop_assert_eq!(found, Ok(case.expected(k, |_, _| true)));
    }

    #[test]
    fn filters_keep_and_drop_what_they_say(
        case in case(), k in 1_usize..80, only_shared: bool, excluded_shared: bool,
    ) {
        // The sets of the queries serve as allow-lists, and turned round as exclusions.
        let offsets = case.offsets();
        let items = case.sets.concat();
        let mut turned = case.clone();
        turned.sets.reverse();
        let turned_offsets = turned.offsets();
        let turned_items = turned.sets.concat();
        let sets = |shared, offsets, items| {
            if shared { ItemSets::Shared(items) } else { ItemSets::PerQuery { offsets, items } }
        };
        let filters = Filters {
            only: Some(sets(only_shared, &offsets, &items)),
            excluded: Some(sets(
                excluded_shared,
                &turned_offsets,
                if excluded_shared { turned.sets.first().map_or(&[], |set| set) } else { &turned_items },
            )),
            mask: None,
        };
        let expected = case.expected(k, |row, item| {
            let kept = if only_shared { &items } else { &case.sets[row] };
            let dropped = &turned.sets[if excluded_shared { 0 } else { row }];
            kept.contains(&item) && !dropped.contains(&item)
        });
        let found = top_k(&case.index(), &case.queries, case.rows, &Search { filters, ..Search::new(k) }, &workers(2));
        prop_assert_eq!(found, Ok(expected));
    }
}

/// Numbers that look random, the same every time.
fn numbers(count: usize, mut seed: u64) -> Vec<f32> {
    (0..count)
        .map(|_| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

#[test]
fn many_blocks_and_threads_give_the_bits_of_one_query_on_one_thread() {
    let (items, dimension, rows, k) = (40_000, 13, 9, 50);
    let vectors = numbers(items * dimension, 1);
    let biases = numbers(items, 2);
    let queries = numbers(rows * dimension, 3);
    let index = ItemIndex::new(&vectors, items, dimension, &biases, &workers(2)).unwrap();
    let search = |queries: &[f32], rows, kernel, count| {
        top_k(
            &index,
            queries,
            rows,
            &Search {
                kernel,
                ..Search::new(k)
            },
            &workers(count),
        )
        .unwrap()
    };
    let together = search(&queries, rows, Kernel::fastest(), 4);
    for row in 0..rows {
        let query = &queries[row * dimension..(row + 1) * dimension];
        let alone = search(query, 1, Kernel::scalar(), 1);
        assert_eq!(alone.items, together.items[row * k..(row + 1) * k]);
        let bits = |scores: &[f32]| {
            scores
                .iter()
                .map(|score| score.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            bits(&alone.scores),
            bits(&together.scores[row * k..(row + 1) * k])
        );
    }
}

#[test]
fn k_of_none_is_refused() {
    let index = ItemIndex::new(&[1.0], 1, 1, &[0.0], &workers(1)).unwrap();
    let error = top_k(
        &index,
        &[1.0],
        1,
        &Search {
            kernel: Kernel::scalar(),
            ..Search::new(0)
        },
        &workers(1),
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "k must be at least 1, got 0"
    );
}

#[test]
fn more_than_there_are_is_all_there_are() {
    let index = ItemIndex::new(&[1.0, 2.0], 2, 1, &[0.0; 2], &workers(1)).unwrap();
    let all = top_k(&index, &[1.0], 1, &Search::new(usize::MAX), &workers(1));
    assert_eq!(all.unwrap().items, [1, 0]);
}

#[test]
fn scores_that_may_overflow_are_refused() {
    let index = ItemIndex::new(&[1e30, 1.0], 2, 1, &[0.0; 2], &workers(1)).unwrap();
    let search = |query: f32| top_k(&index, &[1.0, query], 2, &Search::new(1), &workers(1));
    assert!(search(1e8).is_ok());
    assert!(matches!(
        search(1e9),
        Err(Error::ScoreOverflow { row: 1, .. })
    ));
}

#[test]
fn a_query_that_is_not_finite_is_named() {
    let index = ItemIndex::new(&[1.0, 2.0], 1, 2, &[0.0], &workers(1)).unwrap();
    let queries = [0.0, 1.0, 2.0, f32::NAN];
    let error = top_k(&index, &queries, 2, &Search::new(1), &workers(1));
    assert_eq!(
        error.unwrap_err().to_string(),
        "queries: row 1, column 1 is NaN; every value must be finite"
    );
}

/// A catalog that is coded, with queries and filters, from a few numbers.
#[derive(Debug, Clone)]
struct Large {
    seed: u64,
    dimension: usize,
    rows: usize,
    /// Values are whole multiples of 1 / steps, so that ties are many; 0 for any values.
    steps: u32,
    /// How unlike the norms are.
    spread: f32,
    biased: bool,
    excluded: usize,
    /// Of a hundred items that may be in an answer.
    masked: u32,
    mask_rows: MaskRows,
}

prop_compose! {
    fn large()(
        seed in any::<u64>(),
        dimension in 1_usize..20,
        rows in 1_usize..9,
        steps in prop_oneof![Just(0_u32), Just(1), Just(2)],
        spread in prop_oneof![Just(0.0_f32), Just(1.0), Just(4.0)],
        biased in any::<bool>(),
        excluded in prop_oneof![Just(0_usize), Just(100)],
        masked in prop_oneof![Just(100_u32), Just(60), Just(3), Just(0)],
        mask_rows in prop_oneof![Just(MaskRows::Shared), Just(MaskRows::PerQuery)],
    ) -> Large {
        Large { seed, dimension, rows, steps, spread, biased, excluded, masked, mask_rows }
    }
}

const ITEMS: usize = 5_000;

impl Large {
    fn values(&self, count: usize, salt: u64) -> Vec<f32> {
        let steps = self.steps as f32;
        let round = |value: f32| {
            if steps > 0.0 {
                (value * steps).round() / steps
            } else {
                value
            }
        };
        numbers(count, self.seed ^ salt)
            .into_iter()
            .map(round)
            .collect()
    }

    fn index(&self) -> ItemIndex {
        let mut vectors = self.values(ITEMS * self.dimension, 1);
        for (row, stretch) in vectors
            .chunks_mut(self.dimension)
            .zip(numbers(ITEMS, self.seed ^ 2))
        {
            row.iter_mut()
                .for_each(|value| *value *= (self.spread * stretch).exp2().round().max(0.5));
        }
        let biases = if self.biased {
            self.values(ITEMS, 3)
        } else {
            vec![0.0; ITEMS]
        };
        ItemIndex::new(&vectors, ITEMS, self.dimension, &biases, &workers(2)).unwrap()
    }

    fn queries(&self) -> Vec<f32> {
        self.values(self.rows * self.dimension, 4)
    }

    fn mask(&self) -> Vec<u8> {
        let rows = if self.mask_rows == MaskRows::Shared {
            1
        } else {
            self.rows
        };
        let chance = self.masked as f32 / 50.0 - 1.0;
        numbers(rows * ITEMS, self.seed ^ 5)
            .iter()
            .map(|number| u8::from(*number < chance))
            .collect()
    }

    /// For each query the items that score best of all, and some others.
    fn exclusions(&self, index: &ItemIndex) -> (Vec<i64>, Vec<i32>) {
        let best = search(
            index,
            &self.queries(),
            self.rows,
            self.excluded.max(1),
            Filters::default(),
            Path::Rows,
        );
        let mut offsets = vec![0];
        let mut items = Vec::new();
        for row in 0..self.rows {
            let span = best.offsets[row] as usize..best.offsets[row + 1] as usize;
            items.extend(best.items[span].iter().step_by(2).take(self.excluded));
            offsets.push(items.len() as i64);
        }
        (offsets, items)
    }
}

fn search(
    index: &ItemIndex,
    queries: &[f32],
    rows: usize,
    k: usize,
    filters: Filters,
    path: Path,
) -> Ranking {
    top_k(
        index,
        queries,
        rows,
        &Search {
            filters,
            path,
            ..Search::new(k)
        },
        &workers(2),
    )
    .unwrap()
}

/// All scores, the allowed sorted: the answer as it is defined.
fn sorted(
    index: &ItemIndex,
    queries: &[f32],
    rows: usize,
    k: usize,
    admits: impl Fn(usize, i32) -> bool,
) -> Ranking {
    let mut answer = Ranking {
        offsets: vec![0],
        items: vec![],
        scores: vec![],
    };
    let all: Vec<i32> = (0..index.len() as i32).collect();
    for row in 0..rows {
        let query = vec![row as i32; all.len()];
        let scores = crate::score_pairs(
            index,
            queries,
            rows,
            &query,
            &all,
            Kernel::fastest(),
            &workers(1),
        )
        .unwrap();
        let mut items: Vec<i32> = all
            .iter()
            .copied()
            .filter(|item| admits(row, *item))
            .collect();
        items.sort_by(|a, b| {
            scores[*b as usize]
                .partial_cmp(&scores[*a as usize])
                .unwrap()
        });
        items.truncate(k);
        answer
            .scores
            .extend(items.iter().map(|item| scores[*item as usize]));
        answer.items.extend(items);
        answer.offsets.push(answer.items.len() as i64);
    }
    answer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn codes_and_rows_give_what_a_sort_gives(
        case in large(), k in prop_oneof![1_usize..400, Just(3_000), Just(ITEMS)], scalar in any::<bool>()
    ) {
        let index = case.index();
        prop_assert!(index.segments()[0].codes.is_some());
        let (queries, mask) = (case.queries(), case.mask());
        let (offsets, items) = case.exclusions(&index);
        let filters = Filters {
            excluded: (case.excluded > 0).then_some(ItemSets::PerQuery { offsets: &offsets, items: &items }),
            only: None,
            mask: (case.masked < 100).then_some(Mask { bytes: &mask, rows: case.mask_rows }),
        };
        let masked = |row: usize, item: i32| {
            let row = if case.mask_rows == MaskRows::Shared { 0 } else { row };
            mask[row * ITEMS + item as usize] != 0 || case.masked == 100
        };
        let expected = sorted(&index, &queries, case.rows, k, |row, item| {
            let span = offsets[row] as usize..offsets[row + 1] as usize;
            masked(row, item) && !items[span].contains(&item)
        });
        let kernel = if scalar { Kernel::scalar() } else { Kernel::fastest() };
        for path in [Path::Codes, Path::Rows, Path::Fastest] {
            for count in [1, 3] {
                let found =
                    top_k(&index, &queries, case.rows, &Search { k, filters, path, kernel }, &workers(count)).unwrap();
                prop_assert_eq!(&found, &expected);
            }
        }
    }

    #[test]
    fn an_index_that_grew_and_changed_answers_as_one_built_at_once(
        case in large(), k in 1_usize..200, first in 1_usize..ITEMS, changed in 0_usize..3_000
    ) {
        let whole = case.index();
        let rows = |items: std::ops::Range<usize>| -> (Vec<f32>, Vec<f32>) {
            let found: Vec<_> = items.map(|item| whole.find(item as u32)).collect();
            (
                found.iter().flat_map(|(rows, row)| rows.vector(*row).to_vec()).collect(),
                found.iter().map(|(rows, row)| rows.bias(*row)).collect(),
            )
        };
        let (mut vectors, biases) = rows(0..first);
        // What is replaced later is wrong, and better than anything, at first.
        let wrong: Vec<i32> = (0..first as i32).step_by(3).take(changed).collect();
        for item in &wrong {
            let start = *item as usize * case.dimension;
            vectors[start..start + case.dimension].iter_mut().for_each(|value| *value = *value * 9.0 + 1.0);
        }
        let mut index = ItemIndex::new(&vectors, first, case.dimension, &biases, &workers(2)).unwrap();
        let middle = first + (ITEMS - first) / 3;
        for part in [first..middle, middle..ITEMS] {
            let (vectors, biases) = rows(part.clone());
            index = index.appended(&vectors, part.len(), &biases, &workers(2)).unwrap();
        }
        let right: Vec<_> = wrong.iter().map(|item| whole.find(*item as u32)).collect();
        let vectors: Vec<f32> = right.iter().flat_map(|(rows, row)| rows.vector(*row).to_vec()).collect();
        let biases: Vec<f32> = right.iter().map(|(rows, row)| rows.bias(*row)).collect();
        index = index.replaced(&wrong, &vectors, &biases, &workers(2)).unwrap();
        let queries = case.queries();
        for path in [Path::Fastest, Path::Rows] {
            let found = search(&index, &queries, case.rows, k, Filters::default(), path);
            let expected = search(&whole, &queries, case.rows, k, Filters::default(), Path::Rows);
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn shards_merge_to_the_whole(case in large(), k in 1_usize..300, shards in 1_usize..5) {
        let whole = case.index();
        let queries = case.queries();
        let answers: Vec<Ranking> = (0..shards)
            .map(|shard| {
                // Every item whose index leaves this remainder.
                let items: Vec<u32> = (0..ITEMS as u32).filter(|item| *item as usize % shards == shard).collect();
                let found: Vec<_> = items.iter().map(|item| whole.find(*item)).collect();
                let vectors: Vec<f32> = found.iter().flat_map(|(rows, row)| rows.vector(*row).to_vec()).collect();
                let biases: Vec<f32> = found.iter().map(|(rows, row)| rows.bias(*row)).collect();
                let index = ItemIndex::new(&vectors, items.len(), case.dimension, &biases, &workers(2)).unwrap();
                let mut answer = search(&index, &queries, case.rows, k, Filters::default(), Path::Fastest);
                answer.items.iter_mut().for_each(|item| *item = items[*item as usize] as i32);
                answer
            })
            .collect();
        let views: Vec<Shard> = answers
            .iter()
            .map(|answer| Shard { offsets: &answer.offsets, items: &answer.items, scores: &answer.scores })
            .collect();
        let expected = search(&whole, &queries, case.rows, k, Filters::default(), Path::Fastest);
        prop_assert_eq!(merge(&views, k, &workers(2)), Ok(expected));
    }
}

#[test]
fn a_file_whose_order_was_altered_is_refused_and_never_a_fault() {
    let case = Large {
        seed: 1,
        dimension: 4,
        rows: 2,
        steps: 0,
        spread: 1.0,
        biased: false,
        excluded: 0,
        masked: 100,
        mask_rows: MaskRows::Shared,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items.index");
    case.index().save(&path, &workers(1)).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    // The order is the last array but one.
    let bounds = ITEMS.div_ceil(256) * 12;
    let start = (bytes.len() - bounds - ITEMS * 4) / 64 * 64;
    bytes[start..start + ITEMS * 2].fill(0xFF);
    std::fs::write(&path, bytes).unwrap();
    let index = ItemIndex::open(&path).unwrap();
    let found = top_k(
        &index,
        &case.queries(),
        2,
        &Search {
            path: Path::Codes,
            ..Search::new(10)
        },
        &workers(2),
    );
    assert!(
        found
            .unwrap_err()
            .to_string()
            .contains("the file is damaged")
    );
}

#[test]
fn masks_that_do_not_fit_are_named() {
    let index = ItemIndex::new(&[1.0, 2.0], 2, 1, &[0.0; 2], &workers(1)).unwrap();
    let error = |bytes: &[u8], rows| {
        let filters = Filters {
            mask: Some(Mask { bytes, rows }),
            ..Filters::default()
        };
        let found = top_k(
            &index,
            &[1.0, 2.0],
            2,
            &Search {
                filters,
                ..Search::new(1)
            },
            &workers(1),
        );
        found.unwrap_err().to_string()
    };
    assert_eq!(
        error(&[1, 1, 1], MaskRows::Shared),
        "mask: expected 2 values (one for each item, for all queries or for each), got 3"
    );
    assert_eq!(
        error(&[1, 1], MaskRows::PerQuery),
        "mask: expected 4 values (one for each item, for all queries or for each), got 2"
    );
}
