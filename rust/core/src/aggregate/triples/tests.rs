use proptest::prelude::*;

use super::*;

static NEVER: AtomicBool = AtomicBool::new(false);

type Entry = (i32, i32, f64);

fn folded(
    entries: &[Entry],
    n_rows: usize,
    n_groups: usize,
    threads: usize,
) -> Result<Vec<f64>, Error> {
    let rows: Vec<i32> = entries.iter().map(|entry| entry.0).collect();
    let groups: Vec<i32> = entries.iter().map(|entry| entry.1).collect();
    let values: Vec<f64> = entries.iter().map(|entry| entry.2).collect();
    let mut sums = vec![f64::NAN; n_rows * n_groups];
    let workers = Workers::new(Some(threads), &NEVER).unwrap();
    let triples = Triples::new(&rows, &groups, &values)?;
    fold_triples(triples, n_rows, n_groups, &mut sums, &workers)?;
    Ok(sums)
}

/// One plain loop.
fn plain(entries: &[Entry], n_rows: usize, n_groups: usize) -> Vec<f64> {
    let mut sums = vec![0.0; n_rows * n_groups];
    for &(row, group, value) in entries {
        sums[row as usize * n_groups + group as usize] += value;
    }
    sums
}

fn bits(sums: &[f64]) -> Vec<u64> {
    sums.iter().map(|sum| sum.to_bits()).collect()
}

/// Entries that do not sum up without rounding, in no order.
fn many(n: usize, n_rows: i32, n_groups: i32) -> Vec<Entry> {
    let mut state = 1_u64;
    let mut next = |end: i32| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((state >> 33) % end as u64) as i32
    };
    (0..n)
        .map(|entry| (next(n_rows), next(n_groups), 1.0 / (entry as f64 - 9.5)))
        .collect()
}

proptest! {
    #[test]
    fn few_entries_are_summed_in_their_order(
        entries in proptest::collection::vec((0_i32..9, 0_i32..4, -1e9_f64..1e9), 0..200),
        threads in 1_usize..4,
    ) {
        let found = folded(&entries, 9, 4, threads).unwrap();
        prop_assert_eq!(bits(&found), bits(&plain(&entries, 9, 4)));
    }
}

#[test]
fn many_entries_in_any_order_are_summed_in_their_order() {
    // More than a wave has, so that sums go on from one wave to the next.
    let mut entries = many(partition::WAVE * CHUNK + 1_000, 70_000, 3);
    for order in ["random", "sorted", "sorted but for the last", "falling"] {
        match order {
            "sorted" => entries.sort_by_key(|entry| entry.0),
            "sorted but for the last" => entries.last_mut().unwrap().0 = 0,
            "falling" => entries.reverse(),
            _ => (),
        }
        let expected = bits(&plain(&entries, 70_000, 3));
        for threads in [1, 3] {
            assert_eq!(
                bits(&folded(&entries, 70_000, 3, threads).unwrap()),
                expected,
                "{order}"
            );
        }
    }
}

#[test]
fn rows_longer_than_a_task_and_rows_without_entries_are_summed() {
    let mut entries = vec![(3, 0, 0.1); 2 * CHUNK + 5];
    entries.extend(vec![(7, 1, 0.7); CHUNK]);
    entries.extend(vec![(8, 1, 0.3); 5]);
    for n_rows in [9, 4_000] {
        let expected = bits(&plain(&entries, n_rows, 2));
        assert_eq!(bits(&folded(&entries, n_rows, 2, 3).unwrap()), expected);
    }
}

#[test]
fn sorted_entries_are_shared_at_changes_of_row() {
    let rows: Vec<i32> = (0..3 * CHUNK as i32).map(|entry| entry / 10).collect();
    let shares = shares(&rows, 1 << 20).unwrap().unwrap();
    assert!(shares.len() > 1);
    assert_eq!(shares[0].0.start, 0);
    assert_eq!(shares[shares.len() - 1].0.end, rows.len());
    assert_eq!(shares[shares.len() - 1].1.end, 1 << 20);
    for pair in shares.windows(2) {
        assert_eq!(pair[0].0.end, pair[1].0.start);
        assert_eq!(pair[0].1.end, pair[1].1.start);
        assert_eq!(rows[pair[1].0.start] as usize, pair[1].1.start);
        assert_ne!(rows[pair[1].0.start], rows[pair[1].0.start - 1]);
    }
}

#[test]
fn entries_whose_rows_fall_from_one_share_to_the_next_are_not_in_order() {
    let rows: Vec<i32> = (0..3 * CHUNK as i32).rev().collect();
    assert_eq!(shares(&rows, rows.len()), Ok(None));
}

#[test]
fn no_entries_have_sums_of_zero() {
    assert_eq!(folded(&[], 2, 3, 2), Ok(vec![0.0; 6]));
    assert_eq!(folded(&[], 0, 3, 2), Ok(vec![]));
    assert_eq!(folded(&[], 3, 0, 2), Ok(vec![]));
}

#[test]
fn bad_input_is_named() {
    let message = |entries: &[Entry]| folded(entries, 2, 2, 1).unwrap_err().to_string();
    assert_eq!(
        message(&[(0, 0, 1.0), (2, 0, 1.0)]),
        "rows: entry 1 is 2, outside 0..2"
    );
    assert_eq!(
        message(&[(-1, 0, 1.0)]),
        "rows: entry 0 is -1, outside 0..2"
    );
    assert_eq!(
        message(&[(0, 0, f64::NAN), (1, 2, 1.0), (1, -1, 1.0)]),
        "groups: entry 1 is 2, outside 0..2"
    );
    assert_eq!(
        message(&[(0, 0, 1e308), (0, 0, 1e308), (1, 1, f64::NAN)]),
        "values: entry 2 is NaN; every value must be finite"
    );
    assert_eq!(
        message(&[(1, 0, 1e308), (1, 0, 1e308)]),
        "values: the sum of row 1 overflows float64"
    );
    let workers = Workers::new(Some(1), &NEVER).unwrap();
    let error = Triples::new(&[0], &[0, 1], &[1.0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "groups: expected 1 entries (one for each value), got 2"
    );
    let triples = Triples::new(&[0], &[0], &[1.0]).unwrap();
    let error = fold_triples(triples, 2, 2, &mut [0.0; 3], &workers).unwrap_err();
    assert_eq!(
        error.to_string(),
        "sums: expected 4 sums (rows times groups), got 3"
    );
    let error = fold_triples(triples, usize::MAX, 2, &mut [0.0; 3], &workers).unwrap_err();
    assert!(matches!(
        error,
        Error::Length {
            expected: usize::MAX,
            ..
        }
    ));
}

#[test]
fn the_same_is_wrong_in_any_order_and_at_any_number_of_threads() {
    let mut entries = many(5 * CHUNK, 50_000, 2);
    for position in [4 * CHUNK, 3 * CHUNK + 7] {
        entries[position].2 = f64::INFINITY;
        for threads in [1, 3] {
            let error = folded(&entries, 50_000, 2, threads)
                .unwrap_err()
                .to_string();
            assert_eq!(
                error,
                format!("values: entry {position} is inf; every value must be finite")
            );
        }
    }
    entries[9].0 = 50_000;
    entries[4 * CHUNK].1 = -1;
    for threads in [1, 3] {
        let error = folded(&entries, 50_000, 2, threads)
            .unwrap_err()
            .to_string();
        assert_eq!(error, "rows: entry 9 is 50000, outside 0..50000");
    }
}

#[test]
fn work_that_is_stopped_says_so() {
    let stop = AtomicBool::new(true);
    let workers = Workers::new(Some(2), &stop).unwrap();
    let triples = Triples::new(&[0], &[0], &[1.0]).unwrap();
    assert_eq!(
        fold_triples(triples, 1, 1, &mut [0.0], &workers),
        Err(Error::Stopped)
    );
}
