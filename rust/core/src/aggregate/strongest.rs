//! The m strongest entries of each row.

use std::cmp::Reverse;

use super::{BLOCK, check_finite};
use crate::Error;
use crate::error::reserve;
use crate::ragged::Ragged;
use crate::workers::Workers;

/// Entries of a row that are found by insertion at most; more are found by selection.
const FEW: usize = 8;

/// An entry that may be chosen: how strong it is, the strongest first, and its position.
type Candidate = (Reverse<u64>, i64);

/// What makes an entry strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// A large |φ|; every entry may be chosen.
    Absolute,
    /// A large φ; only entries above 0 may be chosen.
    Positive,
    /// A small φ; only entries below 0 may be chosen.
    Negative,
}

/// Entries chosen from each row, strongest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The entries of row r are those from `offsets[r]` to `offsets[r + 1]`.
    pub offsets: Vec<i64>,

    /// Where each chosen entry stands among all entries of all rows.
    pub positions: Vec<i64>,
}

/// Choose the `m` strongest entries of each row; of two that are equally strong the earlier wins.
pub fn strongest(
    offsets: &[i64],
    values: &[f64],
    m: usize,
    strength: Strength,
    workers: &Workers,
) -> Result<Chosen, Error> {
    if m == 0 {
        return Err(Error::TooSmall {
            argument: "m",
            least: 1,
            found: 0,
        });
    }
    let rows = Ragged::new("offsets", offsets, values.len())?;
    let mut chosen_of_block: Vec<Chosen> = Vec::new();
    let n_blocks = rows.rows().div_ceil(BLOCK);
    reserve(&mut chosen_of_block, n_blocks)?;
    chosen_of_block.resize_with(n_blocks, || Chosen {
        offsets: Vec::new(),
        positions: Vec::new(),
    });
    workers.share_out(
        chosen_of_block.iter_mut().enumerate(),
        Vec::new,
        |candidates, (block, chosen)| {
            for row in block * BLOCK..rows.rows().min((block + 1) * BLOCK) {
                let span = rows.row(row);
                check_finite(span.start, &values[span.clone()])?;
                let admitted = values[span.clone()]
                    .iter()
                    .zip(span.start as i64..)
                    .filter(|(value, _)| strength.admits(**value))
                    // The bits of a positive float rise with it.
                    .map(|(value, position)| (Reverse(value.abs().to_bits()), position));
                candidates.clear();
                if m <= FEW {
                    insert(admitted, m, candidates);
                } else {
                    candidates.extend(admitted);
                    if candidates.len() > m {
                        candidates.select_nth_unstable(m - 1);
                        candidates.truncate(m);
                    }
                    candidates.sort_unstable();
                }
                chosen
                    .positions
                    .extend(candidates.iter().map(|(_, position)| *position));
                chosen.offsets.push(chosen.positions.len() as i64);
            }
            Ok(())
        },
    )?;
    one_after_the_other(chosen_of_block, rows.rows())
}

impl Strength {
    fn admits(self, value: f64) -> bool {
        match self {
            Self::Absolute => true,
            Self::Positive => value > 0.0,
            Self::Negative => value < 0.0,
        }
    }
}

/// Keep the m first candidates, in order.
fn insert(admitted: impl Iterator<Item = Candidate>, m: usize, candidates: &mut Vec<Candidate>) {
    for candidate in admitted {
        if candidates.len() == m {
            if candidate > candidates[m - 1] {
                continue;
            }
            candidates.pop();
        }
        let before = candidates.iter().rposition(|other| *other < candidate);
        candidates.insert(before.map_or(0, |place| place + 1), candidate);
    }
}

fn one_after_the_other(blocks: Vec<Chosen>, rows: usize) -> Result<Chosen, Error> {
    let mut all = Chosen {
        offsets: Vec::new(),
        positions: Vec::new(),
    };
    reserve(&mut all.offsets, rows + 1)?;
    reserve(
        &mut all.positions,
        blocks.iter().map(|block| block.positions.len()).sum(),
    )?;
    all.offsets.push(0);
    for block in blocks {
        let before = all.positions.len() as i64;
        all.offsets
            .extend(block.offsets.iter().map(|offset| before + offset));
        all.positions.extend(block.positions);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use proptest::prelude::*;

    use super::*;

    fn chosen(
        offsets: &[i64],
        values: &[f64],
        m: usize,
        strength: Strength,
        threads: usize,
    ) -> Result<Chosen, Error> {
        let never = AtomicBool::new(false);
        let workers = Workers::new(Some(threads), &never).unwrap();
        strongest(offsets, values, m, strength, &workers)
    }

    fn strength() -> impl Strategy<Value = Strength> {
        prop_oneof![
            Just(Strength::Absolute),
            Just(Strength::Positive),
            Just(Strength::Negative)
        ]
    }

    proptest! {
        #[test]
        fn the_strongest_are_the_head_of_a_stable_sort(
            rows in proptest::collection::vec(
                proptest::collection::vec(
                    prop_oneof![(-3_i8..4).prop_map(f64::from), -1.0_f64..1.0, Just(-0.0)], 0..12),
                0..30),
            m in 1_usize..15,
            strength in strength(),
            threads in 1_usize..4,
        ) {
            let mut offsets = vec![0_i64];
            let mut expected = Chosen { offsets: vec![0], positions: vec![] };
            for row in &rows {
                let first = offsets[offsets.len() - 1];
                let mut order: Vec<usize> =
                    (0..row.len()).filter(|&place| strength.admits(row[place])).collect();
                order.sort_by(|&a, &b| row[b].abs().partial_cmp(&row[a].abs()).unwrap());
                expected.positions.extend(order.iter().take(m).map(|&place| first + place as i64));
                expected.offsets.push(expected.positions.len() as i64);
                offsets.push(first + row.len() as i64);
            }
            prop_assert_eq!(chosen(&offsets, &rows.concat(), m, strength, threads), Ok(expected));
        }
    }

    #[test]
    fn rows_of_many_blocks_stay_in_order() {
        let rows = 2 * BLOCK + 3;
        let offsets: Vec<i64> = (0..=rows as i64).map(|row| 2 * row).collect();
        let values: Vec<f64> = (0..2 * rows).map(|entry| (entry % 2) as f64).collect();
        let found = chosen(&offsets, &values, 1, Strength::Positive, 3).unwrap();
        assert_eq!(found.offsets, (0..=rows as i64).collect::<Vec<_>>());
        assert_eq!(
            found.positions,
            (0..rows as i64).map(|row| 2 * row + 1).collect::<Vec<_>>()
        );
    }

    #[test]
    fn bad_input_is_named() {
        let message = |offsets: &[i64], values: &[f64], m| {
            let error = chosen(offsets, values, m, Strength::Absolute, 1).unwrap_err();
            error.to_string()
        };
        assert_eq!(message(&[0], &[], 0), "m must be at least 1, got 0");
        assert_eq!(
            message(&[0, 1, 2], &[0.0, f64::NEG_INFINITY], 1),
            "values: entry 1 is -inf; every value must be finite"
        );
    }
}
