//! Answers of the shards of a catalog, merged to that of the whole.

use crate::Error;
use crate::error::{check_length, reserve};
use crate::ragged::Ragged;
use crate::select::Key;
use crate::sort::sort;
use crate::workers::Workers;

use super::Ranking;

/// Queries that are merged as one task.
const BLOCK: usize = 1_024;

/// What [`crate::top_k()`] said of one shard, with the item indices of the whole catalog.
#[derive(Debug, Clone, Copy)]
pub struct Shard<'a> {
    /// The items of query q are those from `offsets[q]` to `offsets[q + 1]`.
    pub offsets: &'a [i64],
    /// Item indices, none of which is in two shards.
    pub items: &'a [i32],
    /// Scores, in the order by score, highest first, then by index.
    pub scores: &'a [f32],
}

/// Choose the k best of each query from the answers of all shards.
///
/// If every shard was asked for k items at least, the answer is that of the catalog as a whole, bit
/// by bit: what is among the best k of all is among the best k of its shard.
pub fn merge(shards: &[Shard], k: usize, workers: &Workers) -> Result<Ranking, Error> {
    if k == 0 {
        return Err(Error::TooSmall {
            argument: "k",
            least: 1,
            found: 0,
        });
    }
    let mut rows_of = Vec::new();
    for shard in shards {
        let rows = Ragged::new("offsets", shard.offsets, shard.items.len())?;
        check_length(
            "scores",
            "entries (one for each item)",
            shard.items.len(),
            shard.scores.len(),
        )?;
        let expected = rows_of.first().map_or(rows.rows(), Ragged::rows);
        check_length(
            "offsets",
            "rows (as many as the first shard has)",
            expected,
            rows.rows(),
        )?;
        rows_of.push(rows);
    }
    let rows = rows_of.first().map_or(0, Ragged::rows);
    let mut best: Vec<Vec<Key>> = Vec::new();
    reserve(&mut best, rows)?;
    best.resize_with(rows, Vec::new);
    workers.share_out(
        best.chunks_mut(BLOCK).enumerate(),
        || (),
        |(), (block, best)| {
            for (place, keys) in best.iter_mut().enumerate() {
                let row = block * BLOCK + place;
                for (shard, rows) in shards.iter().zip(&rows_of) {
                    add(keys, shard, rows.row(row))?;
                }
                check_distinct(keys)?;
                sort(keys, workers)?;
                keys.truncate(k);
            }
            Ok(())
        },
    )?;
    let longest = best.iter().map(Vec::len).sum();
    let mut answer = Ranking::with_room_for(rows, longest)?;
    best.iter().for_each(|keys| answer.push(keys));
    Ok(answer)
}

/// Add what a shard says of a query.
fn add(keys: &mut Vec<Key>, shard: &Shard, entries: std::ops::Range<usize>) -> Result<(), Error> {
    reserve(keys, entries.len())?;
    for position in entries.clone() {
        let (item, score) = (shard.items[position], shard.scores[position]);
        if !score.is_finite() {
            return Err(Error::EntryNotFinite {
                argument: "scores",
                position,
                value: score.into(),
            });
        }
        let item = u32::try_from(item).map_err(|_| Error::OutOfRange {
            argument: "items",
            position,
            found: item.into(),
            end: i32::MAX as usize,
        })?;
        // A score of −0 would be a number of its own in the order; there is none in an answer.
        let key = Key::new(score + 0.0, item);
        if position > entries.start && keys.last().is_some_and(|before| *before >= key) {
            return Err(Error::NotRanked { position });
        }
        keys.push(key);
    }
    Ok(())
}

/// Fail if an item comes from two shards.
fn check_distinct(keys: &mut [Key]) -> Result<(), Error> {
    keys.sort_unstable_by_key(|key| key.item());
    match keys
        .windows(2)
        .find(|pair| pair[0].item() == pair[1].item())
    {
        Some(pair) => Err(Error::InTwoShards {
            item: pair[0].item(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn merged(shards: &[(&[i64], &[i32], &[f32])], k: usize) -> Result<Ranking, Error> {
        let never = AtomicBool::new(false);
        let workers = Workers::new(Some(2), &never).unwrap();
        let shards: Vec<Shard> = shards
            .iter()
            .map(|&(offsets, items, scores)| Shard {
                offsets,
                items,
                scores,
            })
            .collect();
        merge(&shards, k, &workers)
    }

    #[test]
    fn the_best_of_all_shards_come_by_score_then_index() {
        let first = (&[0, 2, 3][..], &[4, 0, 9][..], &[2.0, 1.0, 5.0][..]);
        let second = (&[0, 2, 2][..], &[1, 3][..], &[2.0, 1.0][..]);
        let found = merged(&[first, second], 3).unwrap();
        assert_eq!(found.offsets, [0, 3, 4]);
        assert_eq!(found.items, [1, 4, 0, 9]);
        assert_eq!(found.scores, [2.0, 2.0, 1.0, 5.0]);
    }

    #[test]
    fn no_shards_give_no_answers() {
        assert_eq!(merged(&[], 3).unwrap().offsets, [0]);
    }

    #[test]
    fn bad_shards_are_named() {
        let message =
            |shards: &[(&[i64], &[i32], &[f32])], k| merged(shards, k).unwrap_err().to_string();
        let good = (&[0, 1][..], &[0][..], &[1.0][..]);
        assert_eq!(message(&[good], 0), "k must be at least 1, got 0");
        assert_eq!(
            message(&[good, good], 1),
            "item 0 comes from two shards; an item belongs to one"
        );
        assert_eq!(
            message(&[good, (&[0, 0, 1], &[1], &[1.0])], 1),
            "offsets: expected 1 rows (as many as the first shard has), got 2"
        );
        assert_eq!(
            message(&[(&[0, 1], &[0], &[])], 1),
            "scores: expected 1 entries (one for each item), got 0"
        );
        assert_eq!(
            message(&[(&[0, 2], &[0, 1], &[1.0, 2.0])], 1),
            "entry 1 is not in the order by score, highest first, then by item index"
        );
        assert_eq!(
            message(&[(&[0, 1], &[-1], &[1.0])], 1),
            "items: entry 0 is -1, outside 0..2147483647"
        );
        assert_eq!(
            message(&[(&[0, 1], &[0], &[f32::NAN])], 1),
            "scores: entry 0 is NaN; every value must be finite"
        );
    }
}
