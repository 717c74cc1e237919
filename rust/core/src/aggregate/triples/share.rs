//! Entries sorted by row, added to the sums of the rows that they are about.

use std::ops::Range;

use super::Triples;

/// Entries whose cells are found together: nothing branches on one of them, so that one instruction
/// does several.
const TOGETHER: usize = 64;

/// Add entries to the sums of some rows; false if an entry is not about one of them.
pub(super) fn sum_share(
    triples: Triples,
    rows: &Range<usize>,
    n_groups: usize,
    sums: &mut [f64],
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[target_feature(enable = "avx2")]
        fn add_wide(
            triples: Triples,
            rows: &Range<usize>,
            n_groups: usize,
            sums: &mut [f64],
        ) -> bool {
            add(triples, rows, n_groups, sums)
        }
        // SAFETY: the machine has AVX2.
        #[allow(unsafe_code)]
        return unsafe { add_wide(triples, rows, n_groups, sums) };
    }
    add(triples, rows, n_groups, sums)
}

/// The one source of all instruction sets: the same operations in the same order.
#[inline(always)]
fn add(triples: Triples, rows: &Range<usize>, n_groups: usize, sums: &mut [f64]) -> bool {
    let small = |number: usize| u32::try_from(number).ok();
    let (Some(first), Some(n_rows), Some(groups), Some(_)) = (
        small(rows.start),
        small(rows.len()),
        small(n_groups),
        small(sums.len()),
    ) else {
        return add_one_by_one(triples, rows, n_groups, sums);
    };
    let mut cells = [0; TOGETHER];
    let entries = triples.rows.chunks(TOGETHER);
    let entries = entries.zip(triples.groups.chunks(TOGETHER));
    for ((rows, of_rows), values) in entries.zip(triples.values.chunks(TOGETHER)) {
        let mut within = true;
        for ((&row, &group), cell) in rows.iter().zip(of_rows).zip(&mut cells) {
            // A negative row or group becomes one that is too large.
            let (row, group) = ((row as u32).wrapping_sub(first), group as u32);
            within &= (row < n_rows) & (group < groups);
            *cell = row.wrapping_mul(groups).wrapping_add(group);
        }
        if !within {
            return false;
        }
        for (&cell, value) in cells.iter().zip(values) {
            sums[cell as usize] += value;
        }
    }
    true
}

/// Add to more sums than 32 bits can count.
#[cold]
fn add_one_by_one(
    triples: Triples,
    rows: &Range<usize>,
    n_groups: usize,
    sums: &mut [f64],
) -> bool {
    for (row, group, value) in triples.iter() {
        let row = row.wrapping_sub(rows.start);
        if row >= rows.len() || group >= n_groups {
            return false;
        }
        sums[row * n_groups + group] += value;
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_way_of_adding_gives_the_same_bits(
            entries in proptest::collection::vec((-1_i32..9, -1_i32..4, -1e9_f64..1e9), 0..200),
            first in 0_usize..3,
            n_rows in 0_usize..9,
            n_groups in 0_usize..4,
        ) {
            let rows: Vec<i32> = entries.iter().map(|entry| entry.0).collect();
            let groups: Vec<i32> = entries.iter().map(|entry| entry.1).collect();
            let values: Vec<f64> = entries.iter().map(|entry| entry.2).collect();
            let triples = Triples::new(&rows, &groups, &values).unwrap();
            let about = first..first + n_rows;
            let added = |add: fn(Triples, &Range<usize>, usize, &mut [f64]) -> bool| {
                let mut sums = vec![0.25; n_rows * n_groups];
                add(triples, &about, n_groups, &mut sums)
                    .then(|| sums.iter().map(|sum| sum.to_bits()).collect::<Vec<_>>())
            };
            let plain = added(add_one_by_one);
            prop_assert_eq!(added(add), plain.clone());
            prop_assert_eq!(added(sum_share), plain);
        }

        #[test]
        fn entries_about_the_rows_are_all_added(
            entries in proptest::collection::vec((0_usize..5, 0_usize..3, -1e9_f64..1e9), 0..200),
        ) {
            let rows: Vec<i32> = entries.iter().map(|entry| 7 + entry.0 as i32).collect();
            let groups: Vec<i32> = entries.iter().map(|entry| entry.1 as i32).collect();
            let values: Vec<f64> = entries.iter().map(|entry| entry.2).collect();
            let mut expected = vec![0.0; 15];
            for (row, group, value) in &entries {
                expected[3 * row + group] += value;
            }
            let mut sums = vec![0.0; 15];
            let triples = Triples::new(&rows, &groups, &values).unwrap();
            prop_assert!(sum_share(triples, &(7..12), 3, &mut sums));
            prop_assert_eq!(sums, expected);
        }
    }
}
