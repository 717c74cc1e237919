//! Every kernel is held to its scalar twin, bit by bit, and the twin to whole numbers.

use proptest::prelude::*;

use super::*;

/// A block and a group of queries, owned.
#[derive(Debug, Clone)]
struct Case {
    tiles: usize,
    pairs: usize,
    codes: Vec<i8>,
    scales: Vec<u16>,
    biases: Vec<u16>,
    queries: Vec<(i16, i16)>,
    starts: Vec<i32>,
    query_scales: Vec<f32>,
    floors: Vec<f32>,
}

/// A bfloat16 of a moderate number.
fn bfloat() -> impl Strategy<Value = u16> {
    (-2.0_f32..2.0).prop_map(|value| (value.to_bits() >> 16) as u16)
}

prop_compose! {
    fn case()(tiles in 1..=TILES, pairs in 0_usize..20, members in 1..=GROUP, biased in any::<bool>())(
        codes in proptest::collection::vec(-127_i8..=127, tiles * pairs * STEP),
        scales in proptest::collection::vec(bfloat(), tiles * LANES),
        biases in proptest::collection::vec(bfloat(), if biased { tiles * LANES } else { 0 }),
        queries in proptest::collection::vec((-32_767_i16..=32_767, -32_767_i16..=32_767), pairs * members),
        starts in proptest::collection::vec(0_i32..1_000_000, members),
        query_scales in proptest::collection::vec(1e-6_f32..1e-3, members),
        floors in proptest::collection::vec(
            prop_oneof![-1e4_f32..1e4, Just(f32::INFINITY), Just(f32::NEG_INFINITY)], members),
        tiles in Just(tiles),
        pairs in Just(pairs),
    ) -> Case {
        Case { tiles, pairs, codes, scales, biases, queries, starts, query_scales, floors }
    }
}

impl Case {
    fn reached_by(&self, kernel: Kernel) -> (bool, Vec<Vec<u16>>) {
        let block = Block {
            codes: &self.codes,
            scales: &self.scales,
            biases: &self.biases,
        };
        let pair = |(low, high): &(i16, i16)| i32::from(*high) << 16 | i32::from(*low as u16);
        let pairs: Vec<i32> = self.queries.iter().map(pair).collect();
        let queries = Queries {
            pairs: &pairs,
            starts: &self.starts,
            scales: &self.query_scales,
            floors: &self.floors,
        };
        let mut reached = [[u16::MAX; TILES]; GROUP];
        let any = kernel.reach(&block, &queries, &mut reached);
        let rows = reached[..self.floors.len()].iter();
        (any, rows.map(|row| row[..self.tiles].to_vec()).collect())
    }

    /// What each item counts for each query, in whole numbers.
    fn sum(&self, member: usize, tile: usize, lane: usize) -> i64 {
        let members = self.floors.len();
        let of_pair = |pair: usize| {
            let (low, high) = self.queries[pair * members + member];
            let place = ((tile * self.pairs + pair) * LANES + lane) * 2;
            let codes = &self.codes[place..place + 2];
            i64::from(low) * i64::from(codes[0]) + i64::from(high) * i64::from(codes[1])
        };
        i64::from(self.starts[member]) + (0..self.pairs).map(of_pair).sum::<i64>()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_fastest_kernel_gives_the_bits_of_the_scalar_twin(case in case()) {
        prop_assert_eq!(case.reached_by(Kernel::fastest()), case.reached_by(Kernel::scalar()));
    }

    #[test]
    fn the_scalar_twin_compares_sums_of_whole_numbers(case in case()) {
        let (any, reached) = case.reached_by(Kernel::scalar());
        prop_assert_eq!(any, reached.iter().flatten().any(|lanes| *lanes != 0));
        for (member, row) in reached.iter().enumerate() {
            for (tile, lanes) in row.iter().enumerate() {
                for lane in 0..LANES {
                    let bias = case.biases.get(tile * LANES + lane).map_or(0.0, |bits| from_bfloat(*bits));
                    let scale = from_bfloat(case.scales[tile * LANES + lane]);
                    let product = case.sum(member, tile, lane) as f32 * scale;
                    let bound = product.mul_add(case.query_scales[member], bias);
                    prop_assert_eq!(lanes >> lane & 1 == 1, bound >= case.floors[member]);
                }
            }
        }
    }
}
