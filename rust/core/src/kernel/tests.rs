//! Every kernel is held to its scalar twin, bit by bit.

use proptest::prelude::*;

use super::*;

fn value() -> impl Strategy<Value = f32> {
    prop_oneof![
        -1e3_f32..1e3,
        Just(0.0),
        Just(-0.0),
        Just(f32::MIN_POSITIVE),
        Just(-1e-45),
        -1e-30_f32..1e-30,
        -1e15_f32..1e15,
    ]
}

prop_compose! {
    fn tile()(dimension in 0_usize..40, queries in 1..=GROUP)(
        rows in proptest::collection::vec(
            proptest::collection::vec(value(), dimension), LANES),
        group in proptest::collection::vec(value(), dimension * queries),
        biases in proptest::collection::vec(value(), LANES),
        floors in proptest::collection::vec(
            prop_oneof![value(), Just(f32::NEG_INFINITY), Just(f32::INFINITY)], queries),
    ) -> (Vec<Vec<f32>>, Vec<f32>, Vec<f32>, Vec<f32>) {
        (rows, group, biases, floors)
    }
}

fn run(
    kernel: Kernel,
    rows: &[Vec<f32>],
    group: &[f32],
    biases: &[f32],
    floors: &[f32],
) -> (Vec<u32>, Hits, Vec<Option<[u32; LANES]>>) {
    let rows: [&[f32]; LANES] = std::array::from_fn(|lane| rows[lane].as_slice());
    let mut packed = vec![f32::NAN; rows[0].len() * LANES];
    kernel.pack(&rows, &mut packed);
    let mut scores = [[f32::NAN; LANES]; GROUP];
    let biases = biases.try_into().unwrap();
    let hits = kernel.score(&packed, biases, group, floors, &mut scores);
    let written = (0..GROUP)
        .map(|query| (hits[query] != 0).then(|| scores[query].map(f32::to_bits)))
        .collect();
    (
        packed.iter().map(|value| value.to_bits()).collect(),
        hits,
        written,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_fastest_kernel_gives_the_bits_of_the_scalar_twin(
        (rows, group, biases, floors) in tile()
    ) {
        prop_assert_eq!(
            run(Kernel::fastest(), &rows, &group, &biases, &floors),
            run(Kernel::scalar(), &rows, &group, &biases, &floors)
        );
    }

    #[test]
    fn no_score_is_a_negative_zero((rows, group, biases, floors) in tile()) {
        let everything = vec![f32::NEG_INFINITY; floors.len()];
        let (_, _, scores) = run(Kernel::fastest(), &rows, &group, &biases, &everything);
        for score in scores.into_iter().flatten().flatten() {
            prop_assert_ne!(score, (-0.0_f32).to_bits());
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
    // Squares of 1 + 2⁻¹² need 25 bits: a product that is rounded before it is added loses the last.
    let value = 1.0 + 2.0_f32.powi(-12);
    let rows = vec![vec![value, 1.0]; LANES];
    let group = [value, -(1.0 + 2.0_f32.powi(-11))];
    let (_, _, scores) = run(Kernel::fastest(), &rows, &group, &[0.0; LANES], &[-1.0]);
    // The first link rounds to 1 + 2⁻¹¹ and the second takes that away.
    assert_eq!(scores[0], Some([0.0_f32.to_bits(); LANES]));
    let group = [-(1.0 + 2.0_f32.powi(-11)), value];
    let rows = vec![vec![1.0, value]; LANES];
    let (_, _, scores) = run(Kernel::fastest(), &rows, &group, &[0.0; LANES], &[-1.0]);
    // In this order the square is never rounded by itself, so its last bit comes through.
    assert_eq!(scores[0], Some([2.0_f32.powi(-24).to_bits(); LANES]));
}
