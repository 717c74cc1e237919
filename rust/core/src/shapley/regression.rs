//! Weighted least squares over pairs of coalitions: the reduction of KernelSHAP.
//!
//! The Shapley values minimise the squared error of v(∅) + Σ_{i∈S} φᵢ to v(S), weighted by the
//! Shapley kernel, under the constraint Σφ = v(N) − v(∅) =: Δ. Pairs are drawn as the kernel weighs
//! them, so that each drawn pair counts as one.
//!
//! Of S and its complement Sᶜ one lacks the last player; let it be S. By the constraint, what
//! is asked of Sᶜ is asked of S too: Σ_{i∈S} φᵢ = Δ − (v(Sᶜ) − v(∅)). So a pair is one equation
//!
//! ```text
//! z·φ = t        z = S without the last player's place        t = ½ (v(S) − v(Sᶜ) + Δ)
//! ```
//!
//! of least squares without a constraint, and the last player gets what is left of Δ. The Gram
//! matrix Q = Σzzᵀ counts the pairs that have two players on one side, so it is exact.
//!
//! Standard errors are the jackknife's over pairs, in closed form. With the residual r = t − z·φ and
//! the leverage h = zᵀQ⁻¹z of a pair, leaving it out takes Q⁻¹z · r / (1 − h) off φ.

use super::draws::Stream;
use super::inverse::{add_multiple, inverse, mirror, square};
use super::pairs::{KIND, Sides, per_draw};
use super::plan::{Game, GameValues, Plan, Values, filled, finite};
use crate::Error;
use crate::error::reserve;
use crate::workers::Workers;

/// Players or pairs whose presence is held in one word.
const WORD: usize = 64;

/// A leverage this close to 1 is 1: without the pair the others do not determine the values.
const LEAST_SLACK: f64 = 1e-9;

/// What the pairs of all games say of their players, game after game.
#[derive(Debug, Clone, PartialEq)]
pub struct Regression {
    /// The Shapley value of each player, estimated; those of a game sum to Δ.
    pub contributions: Vec<f64>,

    /// Standard error of each, by the jackknife.
    pub standard_errors: Vec<f64>,
}

/// Reduce the values of the coalitions of [`super::paired_coalitions`] for the same plan.
///
/// `base_values` and `full_values` are those of nobody and of all players, one for each game. A game
/// of n ≥ 2 players takes at least n pairs, such that any one of them can be missing.
pub fn paired_shapley(
    plan: &Plan,
    values: &[f64],
    base_values: &[f64],
    full_values: &[f64],
    workers: &Workers,
) -> Result<Regression, Error> {
    let mut rest = Values::new(plan, per_draw, values, base_values, full_values, workers)?;
    if let Some(game) = plan
        .games()
        .find(|game| game.players > 1 && game.count < game.players)
    {
        return Err(too_few(&game));
    }
    let mut found = Regression {
        contributions: filled(0.0, plan.players(), workers)?,
        standard_errors: filled(0.0, plan.players(), workers)?,
    };
    let mut contributions = found.contributions.as_mut_slice();
    let mut errors = found.standard_errors.as_mut_slice();
    let tasks = plan.games().map(|game| {
        let values = rest.next(game.number, per_draw(game.players) * game.count);
        let mine = [&mut contributions, &mut errors].map(|all| {
            let (mine, after) = std::mem::take(all).split_at_mut(game.players);
            *all = after;
            mine
        });
        (game, values, mine)
    });
    workers.share_out(
        tasks,
        Sides::default,
        |sides, (game, values, [contributions, errors])| {
            values.check(workers)?;
            let total = values.full - values.base;
            if game.players < 2 {
                contributions.fill(total);
                return finite(contributions, game.number);
            }
            let equations = Equations::of(&game, &game.stream(KIND), &values, sides, workers)?;
            if !equations.solve(total, contributions, errors, workers)? {
                return Err(too_few(&game));
            }
            finite(contributions, game.number)?;
            finite(errors, game.number)
        },
    )?;
    Ok(found)
}

fn too_few(game: &Game) -> Error {
    Error::TooFewDraws {
        game: game.number,
        players: game.players,
        found: game.count,
        least: game.players.max(game.count.saturating_add(1)),
    }
}

/// The equations of a game, one for each pair.
struct Equations {
    /// Players but the last.
    unknowns: usize,
    /// Words that hold the z of one pair.
    words: usize,
    /// z of all pairs: bit i of a row says whether player i is there.
    present: Vec<u64>,
    /// t of all pairs.
    targets: Vec<f64>,
}

impl Equations {
    fn new(players: usize, pairs: usize) -> Result<Self, Error> {
        let words = players.div_ceil(WORD);
        let (mut present, mut targets) = (Vec::new(), Vec::new());
        reserve(&mut present, pairs.saturating_mul(words))?;
        reserve(&mut targets, pairs)?;
        Ok(Self {
            unknowns: players - 1,
            words,
            present,
            targets,
        })
    }

    /// Draw the pairs of a game again, and take up their values.
    fn of(
        game: &Game,
        stream: &Stream,
        values: &GameValues,
        sides: &mut Sides,
        workers: &Workers,
    ) -> Result<Self, Error> {
        let mut equations = Self::new(game.players, game.count)?;
        let total = values.full - values.base;
        for (number, of_pair) in game.draws().zip(values.of_coalitions.chunks_exact(2)) {
            workers.go_on()?;
            let pair = sides.draw(game.players, stream.draw(number));
            let (few, many) = if pair.is_few {
                (of_pair[0], of_pair[1])
            } else {
                (of_pair[1], of_pair[0])
            };
            equations.push(pair.few, few - many, total);
        }
        Ok(equations)
    }

    /// Add the pair of a coalition and its complement; `apart` is the difference of their values.
    fn push(&mut self, coalition: &[u32], apart: f64, total: f64) {
        let last = self.unknowns as u32;
        let start = self.present.len();
        let complement = coalition.contains(&last);
        let absent = if complement { u64::MAX } else { 0 };
        self.present.resize(start + self.words, absent);
        let present = &mut self.present[start..];
        for &player in coalition {
            present[player as usize / WORD] ^= 1 << (player as usize % WORD);
        }
        // The bits from the last player on stand for nobody.
        present[self.unknowns / WORD] &= (1 << (self.unknowns % WORD)) - 1;
        let apart = if complement { -apart } else { apart };
        self.targets.push((apart + total) / 2.0);
    }

    /// z of one pair.
    fn row(&self, pair: usize) -> &[u64] {
        &self.present[pair * self.words..(pair + 1) * self.words]
    }

    /// Find φ and its standard errors; false if the pairs do not determine them.
    fn solve(
        &self,
        total: f64,
        contributions: &mut [f64],
        errors: &mut [f64],
        workers: &Workers,
    ) -> Result<bool, Error> {
        let size = self.unknowns;
        let gram = self.gram(workers)?;
        let Some(inverse) = inverse(&gram, size, workers)? else {
            return Ok(false);
        };
        let mut wanted = vec![0.0; size];
        for (pair, target) in self.targets.iter().enumerate() {
            workers.go_on()?;
            players(self.row(pair)).for_each(|player| wanted[player] += target);
        }
        let (known, last) = contributions.split_at_mut(size);
        // The second time takes off what the first has left by rounding.
        for _ in 0..2 {
            let mut left = wanted.clone();
            for (value, row) in known.iter().zip(gram.chunks_exact(size)) {
                add_multiple(&mut left, -value, row);
            }
            for (value, row) in left.iter().zip(inverse.chunks_exact(size)) {
                workers.go_on()?;
                add_multiple(known, *value, row);
            }
        }
        last[0] = total - known.iter().sum::<f64>();
        self.jackknife(&inverse, known, errors, workers)
    }

    /// Q, counted 64 pairs at a time.
    fn gram(&self, workers: &Workers) -> Result<Vec<f64>, Error> {
        let size = self.unknowns;
        let mut gram = square(size, workers)?;
        let mut columns = vec![0_u64; size];
        for first in (0..self.targets.len()).step_by(WORD) {
            columns.fill(0);
            for pair in first..self.targets.len().min(first + WORD) {
                players(self.row(pair)).for_each(|player| columns[player] |= 1 << (pair - first));
            }
            for (player, mine) in columns.iter().enumerate() {
                workers.go_on()?;
                let counts = &mut gram[player * size..=player * size + player];
                for (count, other) in counts.iter_mut().zip(&columns) {
                    *count += f64::from((mine & other).count_ones());
                }
            }
        }
        mirror(&mut gram, size, workers)?;
        Ok(gram)
    }

    fn jackknife(
        &self,
        inverse: &[f64],
        known: &[f64],
        errors: &mut [f64],
        workers: &Workers,
    ) -> Result<bool, Error> {
        let size = self.unknowns;
        let (mut everybody, mut moved) = (vec![0.0; size], vec![0.0; size]);
        for row in inverse.chunks_exact(size) {
            add_multiple(&mut everybody, 1.0, row);
        }
        let mut sums = vec![0.0; size + 1];
        for (pair, target) in self.targets.iter().enumerate() {
            workers.go_on()?;
            let row = self.row(pair);
            self.times_inverse(row, inverse, &everybody, &mut moved);
            let leverage: f64 = players(row).map(|player| moved[player]).sum();
            let explained: f64 = players(row).map(|player| known[player]).sum();
            if 1.0 - leverage < LEAST_SLACK {
                return Ok(false);
            }
            let scale = (target - explained) / (1.0 - leverage);
            let mut of_last = 0.0;
            for (player, value) in moved.iter().enumerate() {
                let change = value * scale;
                of_last -= change;
                sums[player] += change;
                errors[player] += change * change;
            }
            sums[size] += of_last;
            errors[size] += of_last * of_last;
        }
        let pairs = self.targets.len() as f64;
        for (error, sum) in errors.iter_mut().zip(&sums) {
            let squares = *error - sum * sum / pairs;
            // Below 0 it is rounding, and no number where a square was too large for one.
            let squares = if squares < 0.0 { 0.0 } else { squares };
            *error = (squares * (pairs - 1.0) / pairs).sqrt();
        }
        Ok(true)
    }

    /// Q⁻¹z, summed over those present or, where they are fewer, over those absent.
    fn times_inverse(&self, row: &[u64], inverse: &[f64], everybody: &[f64], moved: &mut [f64]) {
        let size = self.unknowns;
        let n_present: u32 = row.iter().map(|word| word.count_ones()).sum();
        if 2 * n_present as usize <= size {
            moved.fill(0.0);
            for player in players(row) {
                add_multiple(moved, 1.0, &inverse[player * size..(player + 1) * size]);
            }
        } else {
            moved.copy_from_slice(everybody);
            let absent = (0..size).filter(|player| row[player / WORD] >> (player % WORD) & 1 == 0);
            for player in absent {
                add_multiple(moved, -1.0, &inverse[player * size..(player + 1) * size]);
            }
        }
    }
}

/// The players whose bits are set, by rising number.
fn players(row: &[u64]) -> impl Iterator<Item = usize> {
    row.iter().enumerate().flat_map(|(place, &word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            (left != 0).then(|| {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                place * WORD + bit
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use proptest::prelude::*;

    use super::*;
    use crate::shapley::exact_shapley;

    fn on_one_thread<T>(work: impl FnOnce(&Workers) -> Result<T, Error>) -> T {
        let never = AtomicBool::new(false);
        work(&Workers::new(Some(1), &never).unwrap()).unwrap()
    }

    /// Contributions and errors, if the pairs of (coalition, difference) determine them.
    fn solved(n: usize, pairs: &[(Vec<u32>, f64)], total: f64) -> Option<(Vec<f64>, Vec<f64>)> {
        let mut equations = Equations::new(n, pairs.len()).unwrap();
        for (coalition, apart) in pairs {
            equations.push(coalition, *apart, total);
        }
        let (mut contributions, mut errors) = (vec![0.0; n], vec![0.0; n]);
        on_one_thread(|workers| equations.solve(total, &mut contributions, &mut errors, workers))
            .then_some((contributions, errors))
    }

    fn members(code: usize) -> Vec<u32> {
        (0..usize::BITS)
            .filter(|bit| code >> bit & 1 == 1)
            .collect()
    }

    fn binomial(n: usize, k: usize) -> usize {
        (0..k).fold(1, |product, place| product * (n - place) / (place + 1))
    }

    proptest! {
        #[test]
        fn over_all_coalitions_the_regression_gives_the_exact_shapley_values(
            n in 2_usize..9,
            drawn in proptest::collection::vec(-1.0_f64..1.0, 256),
        ) {
            let (values, all) = (&drawn[..1 << n], (1_usize << n) - 1);
            // The kernel's weight 1 / (C(n, k) k (n − k)), as the number of times a pair is there.
            let weight_of = |k: usize| binomial(n, k) * k * (n - k);
            let common = (1..n).fold(1, |common, k| (1..).find(|times| {
                common * times % weight_of(k) == 0
            }).unwrap() * common);
            let mut pairs = Vec::new();
            for code in 1..=all / 2 {
                let times = common / weight_of(code.count_ones() as usize);
                let apart = values[code] - values[all ^ code];
                // Either side may stand for the pair.
                for time in 0..times {
                    pairs.push(if time % 2 == 0 {
                        (members(code), apart)
                    } else {
                        (members(all ^ code), -apart)
                    });
                }
            }
            // Pairs of two players are all alike: one alone would leave no pair to be left out.
            if n == 2 {
                pairs.push(pairs[0].clone());
            }
            let total = values[all] - values[0];
            let (found, _) = solved(n, &pairs, total).unwrap();
            let exact = on_one_thread(|workers| exact_shapley(&[n as i64], values, workers));
            for (found, exact) in found.iter().zip(&exact) {
                prop_assert!((found - exact).abs() < 1e-12);
            }
        }

        #[test]
        fn errors_are_those_of_the_jackknife_that_solves_without_each_pair(
            pairs in proptest::collection::vec((1_usize..31, -1.0_f64..1.0), 12..20),
            total in -1.0_f64..1.0,
        ) {
            let pairs: Vec<_> = pairs.iter().map(|(code, apart)| (members(*code), *apart)).collect();
            let without: Option<Vec<_>> = (0..pairs.len())
                .map(|left_out| {
                    let mut others = pairs.clone();
                    others.remove(left_out);
                    // Whether the errors of the others are determined does not matter here.
                    others.extend(others.clone());
                    solved(5, &others, total).map(|(found, _)| found)
                })
                .collect();
            let found = solved(5, &pairs, total);
            prop_assert_eq!(found.is_some(), without.is_some());
            if let (Some((found, errors)), Some(without)) = (found, without) {
                prop_assert!((found.iter().sum::<f64>() - total).abs() < 1e-12);
                let count = pairs.len() as f64;
                for player in 0..5 {
                    let mean = without.iter().map(|each| each[player]).sum::<f64>() / count;
                    let squares: f64 =
                        without.iter().map(|each| (each[player] - mean).powi(2)).sum();
                    let expected = (squares * (count - 1.0) / count).sqrt();
                    prop_assert!((errors[player] - expected).abs() < 1e-8 * (1.0 + expected));
                }
            }
        }
    }

    #[test]
    fn more_players_than_a_word_has_bits_are_told_apart() {
        let terms: Vec<f64> = (0..130)
            .map(|player| (player as f64 - 40.3) / 7.0)
            .collect();
        let total = terms.iter().sum::<f64>();
        let pairs: Vec<_> = (0..131_u32)
            .map(|pair| {
                // All between two players who go round, and each player alone.
                let coalition: Vec<u32> = match pair {
                    130 => (3..77).collect(),
                    player => vec![player],
                };
                let inside: f64 = coalition.iter().map(|&player| terms[player as usize]).sum();
                (coalition, 2.0 * inside - total)
            })
            .collect();
        let twice = [pairs.clone(), pairs].concat();
        let (found, errors) = solved(130, &twice, total).unwrap();
        for ((found, error), term) in found.iter().zip(errors).zip(terms) {
            assert!((found - term).abs() < 1e-11 && error < 1e-9);
        }
    }
}
