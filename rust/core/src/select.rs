//! The k best of a stream of scored items, in memory for about 2k of them.

use std::sync::atomic::{AtomicU32, Ordering};

/// A score and an item index as one number: the lower, the better.
///
/// The upper half falls as the score rises, the lower half is the item index, so plain comparison
/// of numbers is the order by score, highest first, then by index, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(u64);

impl Key {
    /// Worse than every key of an item.
    const WORST: Self = Self(u64::MAX);

    pub(crate) fn new(score: f32, item: u32) -> Self {
        Self(u64::from(!rising(score)) << 32 | u64::from(item))
    }

    pub(crate) fn score(self) -> f32 {
        from_rising(!((self.0 >> 32) as u32))
    }

    pub(crate) fn item(self) -> u32 {
        self.0 as u32
    }
}

/// Map a float to a number that rises with it; −0 comes just before +0.
fn rising(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 {
        !bits
    } else {
        bits | 1 << 31
    }
}

fn from_rising(number: u32) -> f32 {
    f32::from_bits(if number >> 31 == 1 {
        number & !(1 << 31)
    } else {
        !number
    })
}

/// A score that k items of one query are known to reach, found by any of the workers.
#[derive(Debug)]
pub(crate) struct SharedFloor(AtomicU32);

impl SharedFloor {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(rising(f32::NEG_INFINITY)))
    }

    fn raise(&self, score: f32) {
        self.0.fetch_max(rising(score), Ordering::Relaxed);
    }

    fn get(&self) -> f32 {
        from_rising(self.0.load(Ordering::Relaxed))
    }
}

/// The best k of the items that one worker offers for one query.
#[derive(Debug)]
pub(crate) struct Selector {
    k: usize,
    /// Whether items are offered by rising index.
    rising: bool,
    keys: Vec<Key>,
    /// The k-th best key when the buffer was last cut; what does not beat it cannot be chosen.
    bar: Key,
}

impl Selector {
    pub(crate) fn new(k: usize, rising: bool) -> Self {
        Self {
            k,
            rising,
            keys: Vec::new(),
            bar: Key::WORST,
        }
    }

    /// Take the key in if it may be among the best k.
    pub(crate) fn offer(&mut self, key: Key, shared: &SharedFloor) {
        if key >= self.bar {
            return;
        }
        self.keys.push(key);
        // Room for as many again, and a few more where k is small, makes cuts rare.
        if self.keys.len() >= self.k.saturating_add(self.k.max(32)) {
            self.cut();
            shared.raise(self.bar.score());
        }
    }

    /// The least score that an item offered later must reach to have a chance.
    pub(crate) fn floor(&self, shared: &SharedFloor) -> f32 {
        let own = if self.bar == Key::WORST {
            f32::NEG_INFINITY
        } else if self.rising {
            // Later items have higher indices: one that ties with the bar loses to it.
            from_rising(rising(self.bar.score()) + 1)
        } else {
            self.bar.score()
        };
        // Items of other workers may have higher indices, so a tie with theirs has a chance.
        own.max(shared.get())
    }

    /// Move the best k into `keys`, which may hold the best of other workers, and keep the best k
    /// of both.
    pub(crate) fn merge_into(self, keys: &mut Vec<Key>, shared: &SharedFloor) {
        let mut both = self;
        both.keys.append(keys);
        both.cut();
        if both.keys.len() == both.k {
            // If nothing was cut, the worst of k is still to be found.
            let worst = both.keys.iter().max().expect("k is at least 1");
            shared.raise(worst.score());
        }
        *keys = both.keys;
    }

    fn cut(&mut self) {
        if self.keys.len() > self.k {
            let (_, bar, _) = self.keys.select_nth_unstable(self.k - 1);
            self.bar = *bar;
            self.keys.truncate(self.k);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scores() -> impl Strategy<Value = Vec<f32>> {
        // Few values, so that ties are many.
        let few = prop_oneof![Just(0.0_f32), Just(-1.5), Just(1.5), Just(1e-45)];
        let any = -1e30_f32..1e30;
        proptest::collection::vec(prop_oneof![3 => few, 1 => any], 0..400)
    }

    fn in_order(scores: &[f32]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].partial_cmp(&scores[a]).unwrap());
        order
    }

    proptest! {
        #[test]
        fn keys_order_by_score_then_index(scores in scores()) {
            let mut keys: Vec<Key> = scores
                .iter()
                .enumerate()
                .map(|(item, &score)| Key::new(score, item as u32))
                .collect();
            keys.sort();
            let items: Vec<usize> = keys.iter().map(|key| key.item() as usize).collect();
            prop_assert_eq!(items, in_order(&scores));
            for key in keys {
                prop_assert_eq!(key.score().to_bits(), scores[key.item() as usize].to_bits());
            }
        }

        #[test]
        fn workers_choose_the_best_k_together(
            scores in scores(), k in 1_usize..60, shares in 1_usize..4, rising: bool
        ) {
            let shared = SharedFloor::new();
            let mut selectors: Vec<Selector> = (0..shares).map(|_| Selector::new(k, rising)).collect();
            let mut offered: Vec<(usize, f32)> = scores.iter().copied().enumerate().collect();
            if !rising {
                offered.reverse();
            }
            for (item, score) in offered {
                let selector = &mut selectors[item % shares];
                if score >= selector.floor(&shared) {
                    selector.offer(Key::new(score, item as u32), &shared);
                }
            }
            let mut keys = Vec::new();
            for selector in selectors {
                selector.merge_into(&mut keys, &shared);
            }
            keys.sort_unstable();
            let items: Vec<usize> = keys.iter().map(|key| key.item() as usize).collect();
            let mut expected = in_order(&scores);
            expected.truncate(k);
            prop_assert_eq!(items, expected);
        }
    }
}
