//! Queries as codes, and what the codes of a row must reach; [`crate::item_index::codes`] derives it.

use crate::item_index::codes::{Bounds, LARGEST_NORM};

/// Half the distance from 1 to the next float32.
const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// More than all that may underflow.
const UNDERFLOW: f64 = 1.0 / (1_u64 << 60) as f64;

/// A little more than 1: more than the rounding of float64 takes away.
const ABOVE: f64 = 1.0 + 1e-9;

/// The least scale of a query: what is smaller counts as an error of the codes.
const LEAST_SCALE: f32 = f32::from_bits(17 << 23); // 2⁻¹¹⁰

/// A query q as q̂ = σ·g, with whole numbers g.
#[derive(Debug, Clone)]
pub(super) struct QueryCodes {
    /// g, two dimensions a number, as the kernel wants them.
    pub(super) pairs: Vec<i32>,
    /// σ.
    pub(super) scale: f32,
    /// No less than ‖g‖.
    length: f64,
    /// No less than ‖q − q̂‖.
    error: f64,
    /// What rounding may add, in units of ‖x‖.
    rounding: f64,
    /// No less than ‖q‖.
    norm: f64,
}

/// What the kernel asks of the rows of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Asked {
    /// ⌈‖g‖·ρ⌉.
    pub(super) start: i32,
    /// What no row whose score reaches the floor stays below.
    pub(super) floor: f32,
}

impl QueryCodes {
    /// Code a query whose norm is known; None if it is too long.
    pub(super) fn of(query: &[f32], norm: f64) -> Option<Self> {
        if norm > LARGEST_NORM {
            return None;
        }
        // Sums with start of d products of a code of a row stay within int32.
        let most = (i32::MAX as usize / (129 * query.len().max(1))).min(32_767) as f32;
        let largest = query
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        let scale = (largest / most).max(LEAST_SCALE);
        let code = |value: f32| (value / scale).round().clamp(-most, most) as i32;
        let (mut length, mut error) = (0.0, 0.0);
        for &value in query {
            let code = f64::from(code(value));
            let residual = f64::from(value) - code * f64::from(scale);
            length += code * code;
            error += residual * residual;
        }
        let pair = |values: &[f32]| {
            let high = values.get(1).map_or(0, |value| code(*value));
            (high << 16) | (code(values[0]) & 0xFFFF)
        };
        Some(Self {
            pairs: query.chunks(2).map(pair).collect(),
            scale,
            length: length.sqrt() * ABOVE,
            error: error.sqrt() * ABOVE,
            rounding: (query.len() + 16) as f64 * ROUNDING * norm * ABOVE,
            norm,
        })
    }

    /// What rows within `bounds` must reach if their score is to reach `floor`; None if none can.
    ///
    /// `largest_bias` is no less than any absolute bias.
    pub(super) fn asked(&self, floor: f32, bounds: &Bounds, largest_bias: f64) -> Option<Asked> {
        let (floor, norm) = (f64::from(floor), f64::from(bounds.norm));
        let lowered =
            floor - (self.error + self.rounding) * norm - 8.0 * ROUNDING * largest_bias - UNDERFLOW;
        if self.norm * norm * ABOVE + f64::from(bounds.bias) < lowered + self.error * norm {
            return None;
        }
        let near = lowered as f32;
        Some(Asked {
            start: (self.length * f64::from(bounds.residual)).ceil() as i32,
            floor: if f64::from(near) > lowered {
                near.next_down()
            } else {
                near
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::item_index::codes::Codes;
    use crate::kernel::codes::{Queries, Reached, TILES};
    use crate::kernel::floats::{Group, Tile};
    use crate::kernel::{GROUP, Kernel, LANES};

    /// One query and one row.
    #[derive(Debug, Clone)]
    struct Pair {
        query: Vec<f32>,
        row: Vec<f32>,
        bias: f32,
    }

    impl Pair {
        fn canonical(&self) -> f32 {
            let tile = Tile {
                rows: [&self.row[..]; LANES],
                biases: [self.bias; LANES],
            };
            let alone = Group {
                queries: &self.query,
                floors: &[f32::NEG_INFINITY],
            };
            let mut room = vec![0.0; self.row.len() * LANES];
            let mut scores = [[0.0; LANES]; GROUP];
            Kernel::scalar().score_rows(&tile, &tile, alone, &mut room, &mut scores);
            scores[0][0]
        }

        fn coded(&self) -> QueryCodes {
            let norm = self
                .query
                .iter()
                .map(|value| f64::from(*value).powi(2))
                .sum::<f64>()
                .sqrt();
            QueryCodes::of(&self.query, norm * (1.0 + 1e-12)).unwrap()
        }

        /// Whether the row, whose score is the floor, passes.
        fn passes(&self, query: &QueryCodes, largest_bias: f64) -> bool {
            let codes = Codes::of_few(&self.row, self.row.len(), &[self.bias]);
            let asked = query.asked(self.canonical(), &codes.bounds(0), largest_bias);
            let Some(Asked { start, floor }) = asked else {
                return false;
            };
            let queries = Queries {
                pairs: &query.pairs,
                starts: &[start],
                scales: &[query.scale],
                floors: &[floor],
            };
            let mut reached: Reached = [[0; TILES]; GROUP];
            Kernel::fastest().reach(&codes.block(0), &queries, &mut reached);
            reached[0][0] & 1 == 1
        }

        fn passes_with_all_terms(&self) -> bool {
            self.passes(&self.coded(), f64::from(self.bias.abs()))
        }
    }

    fn number() -> impl Strategy<Value = f32> {
        prop_oneof![
            1 => Just(0.0_f32),
            4 => -2.0_f32..2.0,
            1 => (-1.0_f32..1.0, -100_i32..30).prop_map(|(value, power)| value * 2.0_f32.powi(power)),
        ]
    }

    prop_compose! {
        fn pair()(dimension in 1_usize..70)(
            query in proptest::collection::vec(number(), dimension),
            row in proptest::collection::vec(number(), dimension),
            bias in prop_oneof![Just(0.0_f32), number()],
        ) -> Pair {
            Pair { query, row, bias }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn a_row_that_reaches_the_floor_passes(pair in pair()) {
            prop_assert!(pair.passes_with_all_terms());
        }
    }

    #[test]
    fn a_residual_that_points_along_the_query_is_counted() {
        // Every value of the row is nearly half a code above its code.
        let mut row = vec![64.49_f32; 32];
        row[0] = 127.0;
        let pair = Pair {
            query: vec![1.0; 32],
            row,
            bias: 0.0,
        };
        assert!(pair.passes_with_all_terms());
        let mut query = pair.coded();
        query.length = 0.0;
        assert!(!pair.passes(&query, 0.0), "the case is not hard enough");
    }

    #[test]
    fn an_error_of_the_query_that_points_along_the_row_is_counted() {
        // Every value of the query is nearly half a code above its code.
        let mut values = vec![0.00049_f32; 512];
        values[0] = 32.767;
        let pair = Pair {
            query: values,
            row: vec![127.0; 512],
            bias: 0.0,
        };
        assert!(pair.passes_with_all_terms());
        let mut query = pair.coded();
        query.error = 0.0;
        assert!(!pair.passes(&query, 0.0), "the case is not hard enough");
    }

    /// Whole numbers whose codes are exact, and whose products sum to `real`, but in float32 to more.
    fn rounded_up(products: &[(i32, i32)], threes: usize) -> (Vec<f32>, Vec<f32>) {
        // Beyond 2²⁴ floats are 2 apart: from a multiple of 4, adding 3 is a tie, and goes to 4 more.
        let all = products
            .iter()
            .copied()
            .chain(std::iter::repeat_n((3, 1), threes));
        all.map(|(code, item)| (code as f32, item as f32)).unzip()
    }

    #[test]
    fn rounding_of_the_canonical_chain_is_counted() {
        let (query, row) = rounded_up(&[(32_767, 127); 6], 50);
        let pair = Pair {
            query,
            row,
            bias: 0.0,
        };
        let real = 6.0 * 32_767.0 * 127.0 + 150.0;
        assert!(f64::from(pair.canonical()) > real + 40.0);
        assert!(pair.passes_with_all_terms());
        let mut query = pair.coded();
        query.rounding = 0.0;
        assert!(!pair.passes(&query, 0.0), "the case is not hard enough");
    }

    #[test]
    fn rounding_of_the_bias_is_counted() {
        // 2²⁵ − 1 of the units of 2⁻⁴⁹ that there are: just less than what lifts 1 to the next float.
        let products = [[(32_764, 127); 8].as_slice(), &[(2_096, 127), (32_767, 0)]].concat();
        let (mut query, mut row) = rounded_up(&products, 5);
        query
            .iter_mut()
            .for_each(|value| *value *= 2.0_f32.powi(-25));
        row.iter_mut().for_each(|value| *value *= 2.0_f32.powi(-24));
        let pair = Pair {
            query,
            row,
            bias: 1.0,
        };
        assert_eq!(pair.canonical(), 1.0_f32.next_up());
        assert!(pair.passes_with_all_terms());
        assert!(
            !pair.passes(&pair.coded(), 0.0),
            "the case is not hard enough"
        );
    }

    #[test]
    fn what_underflows_is_counted() {
        // The product is the least float32; as codes it is 0.
        let pair = Pair {
            query: vec![2.0_f32.powi(-75)],
            row: vec![2.0_f32.powi(-74)],
            bias: 0.0,
        };
        assert!(pair.canonical() > 0.0);
        assert!(pair.passes_with_all_terms());
    }

    #[test]
    fn blocks_too_short_to_reach_the_floor_are_passed_over() {
        let pair = Pair {
            query: vec![3.0, 4.0],
            row: vec![0.0, 2.0],
            bias: 0.5,
        };
        let bounds = Codes::of_few(&pair.row, 2, &[pair.bias]).bounds(0);
        let asked = |floor| pair.coded().asked(floor, &bounds, 0.5);
        assert!(asked(10.5).is_some());
        assert_eq!(asked(10.51), None);
        assert_eq!(asked(f32::NEG_INFINITY).unwrap().floor, f32::NEG_INFINITY);
    }

    #[test]
    fn a_query_of_huge_norm_has_no_codes() {
        assert!(QueryCodes::of(&[2e12], 2e12).is_none());
    }
}
