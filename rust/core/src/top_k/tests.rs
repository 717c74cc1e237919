//! Top-k against a sort of all scores.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;

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
        let found = top_k(
            &case.index(), &case.queries, case.rows, k, Filters::default(), kernel, &workers(count),
        );
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
        };
        let expected = case.expected(k, |row, item| {
            let kept = if only_shared { &items } else { &case.sets[row] };
            let dropped = &turned.sets[if excluded_shared { 0 } else { row }];
            kept.contains(&item) && !dropped.contains(&item)
        });
        let found = top_k(
            &case.index(), &case.queries, case.rows, k, filters, Kernel::fastest(), &workers(2),
        );
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
            k,
            Filters::default(),
            kernel,
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
        0,
        Filters::default(),
        Kernel::scalar(),
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
    let all = top_k(
        &index,
        &[1.0],
        1,
        usize::MAX,
        Filters::default(),
        Kernel::fastest(),
        &workers(1),
    );
    assert_eq!(all.unwrap().items, [1, 0]);
}

#[test]
fn scores_that_may_overflow_are_refused() {
    let index = ItemIndex::new(&[1e30, 1.0], 2, 1, &[0.0; 2], &workers(1)).unwrap();
    let search = |query: f32| {
        top_k(
            &index,
            &[1.0, query],
            2,
            1,
            Filters::default(),
            Kernel::fastest(),
            &workers(1),
        )
    };
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
    let error = top_k(
        &index,
        &queries,
        2,
        1,
        Filters::default(),
        Kernel::fastest(),
        &workers(1),
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "queries: row 1, column 1 is NaN; every value must be finite"
    );
}
