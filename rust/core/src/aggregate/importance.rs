//! Global importance: how often, how much and in which direction each key contributes.

use super::{BLOCK, check_finite};
use crate::Error;
use crate::error::reserve;
use crate::workers::Workers;

/// Blocks whose partial sums are held in memory at once.
const WAVE: usize = 256;

/// For each key: the number n of its contributions φ, Σφ and Σ|φ|.
///
/// The mean contribution of a key is Σφ / n, and its mean absolute contribution Σ|φ| / n. States of
/// parts of the data merge into the state of the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct GlobalImportance {
    /// n of each key.
    pub counts: Vec<i64>,

    /// Σφ of each key.
    pub sums: Vec<f64>,

    /// Σ|φ| of each key.
    pub absolute_sums: Vec<f64>,
}

/// What one block says of one key.
#[derive(Debug, Clone, Copy, Default)]
struct Partial {
    key: usize,
    count: i64,
    sum: f64,
    absolute_sum: f64,
}

impl GlobalImportance {
    /// Nothing known yet of `n_keys` keys.
    pub fn new(n_keys: usize) -> Result<Self, Error> {
        fn zeros<T: Clone + Default>(count: usize) -> Result<Vec<T>, Error> {
            let mut values = Vec::new();
            reserve(&mut values, count)?;
            values.resize(count, T::default());
            Ok(values)
        }
        Ok(Self {
            counts: zeros(n_keys)?,
            sums: zeros(n_keys)?,
            absolute_sums: zeros(n_keys)?,
        })
    }

    /// Accumulate contributions, each with its key.
    ///
    /// Blocks of 4,096 entries are summed each by itself, in the order of the input, and the sums
    /// of the blocks added in the order of the blocks, whoever computed them.
    pub fn of(
        keys: &[i32],
        values: &[f64],
        n_keys: usize,
        workers: &Workers,
    ) -> Result<Self, Error> {
        if keys.len() != values.len() {
            return Err(Error::Length {
                argument: "keys",
                unit: "entries (one for each value)",
                expected: values.len(),
                found: keys.len(),
            });
        }
        let mut all = Self::new(n_keys)?;
        for first in (0..values.len()).step_by(WAVE * BLOCK) {
            let wave = first..values.len().min(first + WAVE * BLOCK);
            let mut blocks = vec![Vec::new(); wave.len().div_ceil(BLOCK)];
            workers.share_out(
                blocks.iter_mut().enumerate(),
                || Places::new(n_keys),
                |places, (block, partials)| {
                    let start = first + block * BLOCK;
                    let span = start..wave.end.min(start + BLOCK);
                    *partials = places.sum(start, &keys[span.clone()], &values[span])?;
                    Ok(())
                },
            )?;
            blocks.iter().flatten().for_each(|partial| all.add(partial));
        }
        all.check("key")
    }

    /// The mean contribution of a key, if it has any.
    pub fn mean(&self, key: usize) -> Option<f64> {
        self.per_contribution(self.sums[key], key)
    }

    /// The mean absolute contribution of a key, if it has any.
    pub fn mean_absolute(&self, key: usize) -> Option<f64> {
        self.per_contribution(self.absolute_sums[key], key)
    }

    fn per_contribution(&self, sum: f64, key: usize) -> Option<f64> {
        (self.counts[key] > 0).then(|| sum / self.counts[key] as f64)
    }

    /// Add what another part of the data says of the same keys.
    pub fn merge(mut self, other: &Self) -> Result<Self, Error> {
        if self.counts.len() != other.counts.len() {
            return Err(Error::Length {
                argument: "other",
                unit: "keys",
                expected: self.counts.len(),
                found: other.counts.len(),
            });
        }
        for key in 0..other.counts.len() {
            self.add(&Partial {
                key,
                count: other.counts[key],
                sum: other.sums[key],
                absolute_sum: other.absolute_sums[key],
            });
        }
        self.check("key")
    }

    /// Add the sums of every key over some rows in each of which it is met once.
    pub(super) fn add_rows(&mut self, n_rows: usize, sums: &[f64], absolute_sums: &[f64]) {
        for (key, (&sum, &absolute_sum)) in sums.iter().zip(absolute_sums).enumerate() {
            self.add(&Partial {
                key,
                count: n_rows as i64,
                sum,
                absolute_sum,
            });
        }
    }

    fn add(&mut self, partial: &Partial) {
        self.counts[partial.key] += partial.count;
        self.sums[partial.key] += partial.sum;
        self.absolute_sums[partial.key] += partial.absolute_sum;
    }

    pub(super) fn check(self, unit: &'static str) -> Result<Self, Error> {
        // No sum can be infinite or NaN unless the sum of absolute values is infinite.
        match self.absolute_sums.iter().position(|sum| !sum.is_finite()) {
            Some(index) => Err(Error::SumOverflow {
                argument: "values",
                unit,
                index,
            }),
            None => Ok(self),
        }
    }
}

/// Where the partial sums of each key are found while one block is summed.
struct Places {
    /// One more than the place of the key's sums; 0 for a key that the block has not met.
    of_key: Vec<u16>,
}

impl Places {
    fn new(n_keys: usize) -> Self {
        Self {
            of_key: vec![0; n_keys],
        }
    }

    fn sum(&mut self, first: usize, keys: &[i32], values: &[f64]) -> Result<Vec<Partial>, Error> {
        check_finite(first, values)?;
        let end = self.of_key.len();
        let mut partials: Vec<Partial> = Vec::new();
        for (position, (&key, value)) in keys.iter().zip(values).enumerate() {
            let known = usize::try_from(key).ok().filter(|key| *key < end);
            let key = known.ok_or(Error::OutOfRange {
                argument: "keys",
                position: first + position,
                found: key.into(),
                end,
            })?;
            if self.of_key[key] == 0 {
                partials.push(Partial {
                    key,
                    ..Partial::default()
                });
                self.of_key[key] = partials.len() as u16;
            }
            let partial = &mut partials[usize::from(self.of_key[key]) - 1];
            partial.count += 1;
            partial.sum += value;
            partial.absolute_sum += value.abs();
        }
        for partial in &partials {
            self.of_key[partial.key] = 0;
        }
        Ok(partials)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use proptest::prelude::*;

    use super::*;

    fn importance(
        keys: &[i32],
        values: &[f64],
        n_keys: usize,
        threads: usize,
    ) -> Result<GlobalImportance, Error> {
        let never = AtomicBool::new(false);
        GlobalImportance::of(
            keys,
            values,
            n_keys,
            &Workers::new(Some(threads), &never).unwrap(),
        )
    }

    proptest! {
        #[test]
        fn a_block_is_summed_in_the_order_of_the_input(
            entries in proptest::collection::vec((0_i32..6, -1e9_f64..1e9), 0..300)
        ) {
            let (keys, values): (Vec<i32>, Vec<f64>) = entries.iter().copied().unzip();
            let mut expected = GlobalImportance::new(6).unwrap();
            for (key, value) in entries {
                expected.counts[key as usize] += 1;
                expected.sums[key as usize] += value;
                expected.absolute_sums[key as usize] += value.abs();
            }
            prop_assert_eq!(importance(&keys, &values, 6, 2), Ok(expected));
        }
    }

    #[test]
    fn threads_change_no_bit_and_blocks_are_merged_in_order() {
        let entries = 2 * WAVE * BLOCK + 77;
        let keys: Vec<i32> = (0..entries).map(|entry| (entry * 7 % 50) as i32).collect();
        let values: Vec<f64> = (0..entries)
            .map(|entry| 1.0 / (entry as f64 - 9.5))
            .collect();
        let mut expected = GlobalImportance::new(50).unwrap();
        for (keys, values) in keys.chunks(BLOCK).zip(values.chunks(BLOCK)) {
            let block = importance(keys, values, 50, 1).unwrap();
            expected = expected.merge(&block).unwrap();
        }
        for threads in 1..4 {
            assert_eq!(
                importance(&keys, &values, 50, threads).as_ref(),
                Ok(&expected)
            );
        }
    }

    #[test]
    fn bad_input_is_named() {
        let message =
            |keys: &[i32], values: &[f64]| importance(keys, values, 2, 1).unwrap_err().to_string();
        assert_eq!(
            message(&[0], &[]),
            "keys: expected 0 entries (one for each value), got 1"
        );
        assert_eq!(
            message(&[0, 2], &[1.0, 1.0]),
            "keys: entry 1 is 2, outside 0..2"
        );
        assert_eq!(message(&[-1], &[1.0]), "keys: entry 0 is -1, outside 0..2");
        assert_eq!(
            message(&[0], &[f64::INFINITY]),
            "values: entry 0 is inf; every value must be finite"
        );
        assert_eq!(
            message(&[1, 1], &[1e308, -1e308]),
            "values: the sum of key 1 overflows float64"
        );
    }

    #[test]
    fn a_key_without_contributions_has_no_mean() {
        let state = importance(&[1, 1], &[3.0, -1.0], 2, 1).unwrap();
        assert_eq!((state.mean(0), state.mean_absolute(0)), (None, None));
        assert_eq!(
            (state.mean(1), state.mean_absolute(1)),
            (Some(1.0), Some(2.0))
        );
    }

    #[test]
    fn states_of_other_keys_do_not_merge() {
        let state = GlobalImportance::new(2).unwrap();
        let error = state.merge(&GlobalImportance::new(3).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "other: expected 2 keys, got 3");
    }
}
