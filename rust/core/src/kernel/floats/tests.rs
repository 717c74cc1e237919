//! Every kernel is held to its scalar twin, bit by bit.

use proptest::prelude::*;

use super::*;

/// Zeros of both signs, numbers near the smallest, and numbers of all sizes whose products fit.
fn value(code: i32) -> f32 {
    match code % 8 {
        0 => 0.0,
        1 => -0.0,
        2 => f32::from_bits(code as u32 % 64),
        3 => -f32::from_bits(code as u32 % 64),
        _ => (code >> 8) as f32 * 2.0_f32.powi(code % 60 - 30),
    }
}

fn values(count: usize) -> impl Strategy<Value = Vec<f32>> {
    let codes = proptest::collection::vec(any::<i32>(), count);
    codes.prop_map(|codes| codes.into_iter().map(value).collect())
}

/// A tile and a group of queries, owned.
#[derive(Debug, Clone)]
struct Case {
    dimension: usize,
    vectors: Vec<f32>,
    biases: Vec<f32>,
    queries: Vec<f32>,
    floors: Vec<f32>,
}

prop_compose! {
    fn case()(dimension in 0_usize..36, n_queries in 1..=GROUP, low in any::<bool>())(
        dimension in Just(dimension),
        vectors in values(dimension * LANES),
        biases in values(LANES),
        queries in values(dimension * n_queries),
        floors in values(n_queries).prop_map(move |floors| {
            if low { vec![f32::NEG_INFINITY; floors.len()] } else { floors }
        }),
    ) -> Case {
        Case { dimension, vectors, biases, queries, floors }
    }
}

/// What a kernel makes of a case, as bits.
#[derive(Debug, PartialEq)]
struct Outcome {
    packed: Vec<u32>,
    hits: Hits,
    /// Only of queries with hits: the others are not promised.
    scores: Vec<[u32; LANES]>,
}

impl Case {
    fn tile(&self) -> Tile<'_> {
        let vector = |lane| &self.vectors[lane * self.dimension..(lane + 1) * self.dimension];
        Tile {
            rows: std::array::from_fn(vector),
            biases: std::array::from_fn(|lane| self.biases[lane]),
        }
    }

    fn group(&self) -> Group<'_> {
        Group {
            queries: &self.queries,
            floors: &self.floors,
        }
    }

    fn packed_by(&self, kernel: Kernel) -> Vec<f32> {
        let mut packed = vec![f32::NAN; self.vectors.len()];
        kernel.pack(&self.tile(), &self.tile(), &mut packed);
        packed
    }

    fn in_two_steps(&self, kernel: Kernel) -> Outcome {
        let mut scores = [[f32::NAN; LANES]; GROUP];
        let packed = self.packed_by(kernel);
        let hits = kernel.score_packed(&packed, &self.tile().biases, self.group(), &mut scores);
        outcome(&packed, hits, &scores)
    }

    fn in_one_step(&self, kernel: Kernel) -> Outcome {
        let mut scores = [[f32::NAN; LANES]; GROUP];
        let mut room = vec![f32::NAN; self.vectors.len()];
        let hits = kernel.score_rows(
            &self.tile(),
            &self.tile(),
            self.group(),
            &mut room,
            &mut scores,
        );
        outcome(&self.packed_by(kernel), hits, &scores)
    }
}

fn outcome(packed: &[f32], hits: Hits, scores: &Scores) -> Outcome {
    Outcome {
        packed: packed.iter().map(|value| value.to_bits()).collect(),
        hits,
        scores: (0..GROUP)
            .filter(|query| hits[*query] != 0)
            .map(|query| scores[query].map(f32::to_bits))
            .collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_fastest_kernel_gives_the_bits_of_the_scalar_twin(case in case()) {
        let twin = case.in_two_steps(Kernel::scalar());
        prop_assert_eq!(&case.in_one_step(Kernel::scalar()), &twin);
        prop_assert_eq!(&case.in_two_steps(Kernel::fastest()), &twin);
        prop_assert_eq!(&case.in_one_step(Kernel::fastest()), &twin);
    }

    #[test]
    fn no_score_is_a_negative_zero(case in case()) {
        for kernel in [Kernel::scalar(), Kernel::fastest()] {
            for scores in case.in_two_steps(kernel).scores {
                prop_assert!(!scores.contains(&(-0.0_f32).to_bits()));
            }
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_fastest_kernel_is_the_vector_kernel_where_the_machine_has_one() {
    let vectors = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    assert_eq!(Kernel::fastest() != Kernel::scalar(), vectors);
}

#[test]
fn the_chain_is_fused_and_in_the_order_of_the_dimensions() {
    // The square of 1 + 2⁻¹² is 1 + 2⁻¹¹ + 2⁻²⁴, one bit more than float32 has.
    let (root, rounded) = (1.0 + 2.0_f32.powi(-12), 1.0 + 2.0_f32.powi(-11));
    let score = |vector: [f32; 2], query: [f32; 2], kernel| {
        let case = Case {
            dimension: 2,
            vectors: vector.repeat(LANES),
            biases: vec![0.0; LANES],
            queries: query.to_vec(),
            floors: vec![f32::NEG_INFINITY],
        };
        let bits = case.in_one_step(kernel).scores[0];
        assert_eq!(bits, [bits[0]; LANES]);
        f32::from_bits(bits[0])
    };
    for kernel in [Kernel::scalar(), Kernel::fastest()] {
        // The first link rounds the square, and the second takes away what is left.
        assert_eq!(score([root, 1.0], [root, -rounded], kernel), 0.0);
        // In this order the square is never rounded by itself: its last bit comes through.
        assert_eq!(
            score([1.0, root], [-rounded, root], kernel),
            2.0_f32.powi(-24)
        );
    }
}
