//! Contributions folded to groups: Φ_rg = Σ φ_e over the entries e of row r in group g.

use super::{BLOCK, check_finite};
use crate::Error;
use crate::error::reserve;
use crate::ragged::Ragged;
use crate::workers::Workers;

/// Sum the values of each row by group.
///
/// Row r has the entries from `offsets[r]` to `offsets[r + 1]` and the groups from
/// `group_offsets[r]` to `group_offsets[r + 1]`; `groups` gives the group of each entry, counted
/// from the first group of its row. The sums are written to `sums` in the order of `group_offsets`,
/// whatever stands there before. A group without entries has the empty sum, 0.
pub fn fold(
    offsets: &[i64],
    groups: &[i32],
    values: &[f64],
    group_offsets: &[i64],
    sums: &mut [f64],
    workers: &Workers,
) -> Result<(), Error> {
    if groups.len() != values.len() {
        return Err(Error::Length {
            argument: "groups",
            unit: "entries (one for each value)",
            expected: values.len(),
            found: groups.len(),
        });
    }
    let entries = Ragged::new("offsets", offsets, values.len())?;
    let sums_of = Ragged::new("group_offsets", group_offsets, sums.len())?;
    if entries.rows() != sums_of.rows() {
        return Err(Error::Length {
            argument: "group_offsets",
            unit: "rows (as many as offsets has)",
            expected: entries.rows(),
            found: sums_of.rows(),
        });
    }
    let mut tasks = Vec::new();
    reserve(&mut tasks, entries.rows().div_ceil(BLOCK))?;
    let mut rest = sums;
    for first in (0..entries.rows()).step_by(BLOCK) {
        let rows = first..entries.rows().min(first + BLOCK);
        let (sums, after) = rest.split_at_mut(sums_of.span(rows.clone()).len());
        rest = after;
        tasks.push((rows, sums));
    }
    workers.share_out(
        tasks.into_iter(),
        || (),
        |(), (rows, sums)| {
            sums.fill(0.0);
            let mut rest = sums;
            for row in rows {
                let (sums, after) = rest.split_at_mut(sums_of.row(row).len());
                rest = after;
                let span = entries.row(row);
                fold_row(span.start, &groups[span.clone()], &values[span], sums)?;
                if sums.iter().any(|sum| !sum.is_finite()) {
                    return Err(Error::SumOverflow {
                        argument: "values",
                        unit: "row",
                        index: row,
                    });
                }
            }
            Ok(())
        },
    )?;
    Ok(())
}

fn fold_row(first: usize, groups: &[i32], values: &[f64], sums: &mut [f64]) -> Result<(), Error> {
    check_finite(first, values)?;
    for (place, (&group, value)) in groups.iter().zip(values).enumerate() {
        let end = sums.len();
        let sum = usize::try_from(group)
            .ok()
            .and_then(|group| sums.get_mut(group));
        *sum.ok_or(Error::OutOfRange {
            argument: "groups",
            position: first + place,
            found: group.into(),
            end,
        })? += value;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use proptest::prelude::*;

    use super::*;

    fn folded(
        offsets: &[i64],
        groups: &[i32],
        values: &[f64],
        group_offsets: &[i64],
        threads: usize,
    ) -> Result<Vec<f64>, Error> {
        let never = AtomicBool::new(false);
        let workers = Workers::new(Some(threads), &never).unwrap();
        let n_sums = group_offsets.last().map_or(0, |&last| last.max(0) as usize);
        let mut sums = vec![f64::NAN; n_sums];
        fold(offsets, groups, values, group_offsets, &mut sums, &workers)?;
        Ok(sums)
    }

    fn message(offsets: &[i64], groups: &[i32], values: &[f64], group_offsets: &[i64]) -> String {
        folded(offsets, groups, values, group_offsets, 1)
            .unwrap_err()
            .to_string()
    }

    proptest! {
        #[test]
        fn sums_are_taken_in_the_order_of_the_input(
            rows in proptest::collection::vec(
                (0_usize..5, proptest::collection::vec((0_usize..5, -1e9_f64..1e9), 0..9)), 0..40),
            threads in 1_usize..4,
        ) {
            let mut offsets = vec![0_i64];
            let mut group_offsets = vec![0_i64];
            let (mut groups, mut values, mut expected) = (vec![], vec![], vec![]);
            for (n_groups, entries) in &rows {
                let mut sums = vec![0.0; *n_groups];
                for (group, value) in entries.iter().filter(|(group, _)| group < n_groups) {
                    groups.push(*group as i32);
                    values.push(*value);
                    sums[*group] += value;
                }
                offsets.push(values.len() as i64);
                expected.extend(sums);
                group_offsets.push(expected.len() as i64);
            }
            let found = folded(&offsets, &groups, &values, &group_offsets, threads);
            prop_assert_eq!(found, Ok(expected));
        }
    }

    #[test]
    fn many_rows_on_many_threads_are_folded_each_by_itself() {
        let rows = 3 * BLOCK + 5;
        let offsets: Vec<i64> = (0..=rows as i64).map(|row| 2 * row).collect();
        let group_offsets: Vec<i64> = (0..=rows as i64).collect();
        let values: Vec<f64> = (0..2 * rows).map(|entry| entry as f64).collect();
        let sums = folded(&offsets, &vec![0; 2 * rows], &values, &group_offsets, 3).unwrap();
        for (row, sum) in sums.iter().enumerate() {
            assert_eq!(*sum, (4 * row + 1) as f64);
        }
    }

    #[test]
    fn bad_input_is_named() {
        assert_eq!(
            message(&[0, 1], &[0, 1], &[1.0], &[0, 1]),
            "groups: expected 1 entries (one for each value), got 2"
        );
        assert_eq!(
            message(&[0, 1], &[1], &[1.0], &[0, 1]),
            "groups: entry 0 is 1, outside 0..1"
        );
        assert_eq!(
            message(&[0, 0, 1], &[-1], &[1.0], &[0, 1, 2]),
            "groups: entry 0 is -1, outside 0..1"
        );
        assert_eq!(
            message(&[0, 2], &[0, 0], &[1.0, f64::NAN], &[0, 1]),
            "values: entry 1 is NaN; every value must be finite"
        );
        assert_eq!(
            message(&[0, 0, 2], &[0, 0], &[1e308, 1e308], &[0, 1, 2]),
            "values: the sum of row 1 overflows float64"
        );
        assert_eq!(
            message(&[0, 1], &[0], &[1.0], &[0, 1, 2]),
            "group_offsets: expected 1 rows (as many as offsets has), got 2"
        );
        assert_eq!(
            message(&[0, 1], &[0], &[1.0], &[0, -3]),
            "group_offsets: offsets fall from 0 to -3 at row 0; they must never fall"
        );
    }

    #[test]
    fn no_rows_have_no_sums() {
        assert_eq!(folded(&[0], &[], &[], &[0], 1), Ok(vec![]));
    }

    #[test]
    fn room_for_other_sums_is_refused() {
        let never = AtomicBool::new(false);
        let workers = Workers::new(Some(1), &never).unwrap();
        let error = fold(&[0, 0], &[], &[], &[0, 3], &mut [0.0], &workers).unwrap_err();
        assert_eq!(
            error.to_string(),
            "group_offsets: offsets end at 3, but there are 1 entries"
        );
    }
}
