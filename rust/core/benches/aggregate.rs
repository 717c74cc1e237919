//! Contributions of 100,000 rows of 32 players: folded to groups, the strongest picked, importance
//! accumulated.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use whyrec_core::Workers;
use whyrec_core::aggregate::{GlobalImportance, Strength, fold, strongest};

const ROWS: usize = 100_000;
const PLAYERS: usize = 32;
const GROUPS: usize = 8;
const STRONGEST: usize = 3;

static STOP: AtomicBool = AtomicBool::new(false);

fn all_threads() -> Workers<'static> {
    Workers::new(None, &STOP).expect("a machine has a thread")
}

/// Contributions around 0, the same in every run.
fn values() -> Vec<f64> {
    (0..ROWS * PLAYERS)
        .map(|place| (place * 7_919 % 10_007) as f64 / 10_007.0 - 0.5)
        .collect()
}

/// Offsets of rows of one length.
fn offsets(length: usize) -> Vec<i64> {
    (0..=ROWS).map(|row| (row * length) as i64).collect()
}

/// A number below `count` for every entry, in the order of the players.
fn of_players(count: usize) -> Vec<i32> {
    (0..ROWS * PLAYERS)
        .map(|place| (place % PLAYERS % count) as i32)
        .collect()
}

fn aggregates(criterion: &mut Criterion) {
    let values = values();
    let entries = offsets(PLAYERS);
    let mut group = criterion.benchmark_group("aggregate");
    group.throughput(Throughput::Elements(values.len() as u64));

    let (groups, group_offsets) = (of_players(GROUPS), offsets(GROUPS));
    group.bench_function("fold", |bench| {
        bench.iter(|| {
            let folded = fold(
                &entries,
                &groups,
                black_box(&values),
                &group_offsets,
                &all_threads(),
            );
            black_box(folded.expect("offsets fit the values"));
        });
    });

    group.bench_function("strongest", |bench| {
        bench.iter(|| {
            let chosen = strongest(
                &entries,
                black_box(&values),
                STRONGEST,
                Strength::Absolute,
                &all_threads(),
            );
            black_box(chosen.expect("offsets fit the values"));
        });
    });

    let keys = of_players(PLAYERS);
    group.bench_function("importance", |bench| {
        bench.iter(|| {
            let importance =
                GlobalImportance::of(&keys, black_box(&values), PLAYERS, &all_threads());
            black_box(importance.expect("keys fit the values"));
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = aggregates
}
criterion_main!(benches);
