//! The arguments of a plan, which plan and reduction of sampled coalitions share.

use numpy::ndarray::Ix1;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use whyrec_core::Error;
use whyrec_core::shapley::Plan;

use crate::arguments::{Values, vector};
use crate::errors::argument_error;

/// Arrays of a plan, borrowed for the length of a call.
pub struct PlanArrays<'py> {
    n_players: Values<'py, i64, Ix1>,
    keys: Values<'py, i64, Ix1>,
    first: Values<'py, i64, Ix1>,
    counts: Values<'py, i64, Ix1>,
    seed: u64,
}

/// The values of a plan, not yet checked by the core.
#[derive(Clone, Copy)]
pub struct PlanParts<'a> {
    n_players: &'a [i64],
    keys: &'a [i64],
    first: &'a [i64],
    counts: &'a [i64],
    seed: u64,
}

impl<'py> PlanArrays<'py> {
    /// Take the arguments from Python.
    pub fn take(
        n_players: &Bound<'py, PyAny>,
        keys: &Bound<'py, PyAny>,
        first: &Bound<'py, PyAny>,
        counts: &Bound<'py, PyAny>,
        seed: &Bound<'py, PyAny>,
    ) -> PyResult<Self> {
        Ok(Self {
            n_players: vector("n_players", n_players)?,
            keys: vector("keys", keys)?,
            first: vector("first", first)?,
            counts: vector("counts", counts)?,
            seed: take_seed(seed)?,
        })
    }

    /// The values of all arguments.
    pub fn parts(&self) -> PyResult<PlanParts<'_>> {
        Ok(PlanParts {
            n_players: self.n_players.as_slice()?,
            keys: self.keys.as_slice()?,
            first: self.first.as_slice()?,
            counts: self.counts.as_slice()?,
            seed: self.seed,
        })
    }
}

impl<'a> PlanParts<'a> {
    /// The plan, checked by the core.
    pub fn plan(&self) -> Result<Plan<'a>, Error> {
        Plan::new(
            self.n_players,
            self.keys,
            self.first,
            self.counts,
            self.seed,
        )
    }

    /// About how many steps it takes to draw it, with `per_player` for each player of each draw.
    pub fn steps(&self, per_player: impl Fn(usize) -> usize) -> usize {
        let positive = |value: &i64| usize::try_from(*value).unwrap_or(0);
        self.n_players
            .iter()
            .zip(self.counts)
            .map(|(players, count)| {
                let players = positive(players);
                let of_draw = players.saturating_mul(per_player(players));
                of_draw.saturating_mul(positive(count))
            })
            .fold(self.n_players.len(), usize::saturating_add)
    }
}

/// Take a whole number of 64 bits; one too large is refused, since another would draw the same.
fn take_seed(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let py = value.py();
    let Ok(number) = value.call_method0("__index__") else {
        return Err(PyTypeError::new_err(format!(
            "seed: expected a whole number, got {}",
            value.get_type().name()?
        )));
    };
    number.extract().map_err(|_| {
        argument_error(
            py,
            format!("seed must be from 0 to {}, got {number}", u64::MAX),
        )
    })
}
