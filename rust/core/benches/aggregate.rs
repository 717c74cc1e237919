//! Contributions of 100,000 rows of 32 players: folded to groups, the strongest picked, importance
//! accumulated.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use whyrec_core::Workers;
use whyrec_core::aggregate::{
    GlobalImportance, RowKernel, Rows, Strength, StrongestGroups, Triples, Wanted, aggregate_rows,
    fold, fold_triples, strongest,
};

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
    let mut sums = vec![0.0; ROWS * GROUPS];
    group.bench_function("fold", |bench| {
        bench.iter(|| {
            let folded = fold(
                &entries,
                &groups,
                black_box(&values),
                &group_offsets,
                &mut sums,
                &all_threads(),
            );
            folded.expect("offsets fit the values");
            black_box(&sums);
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

fn rows_in_one_pass(criterion: &mut Criterion) {
    let values: Vec<f32> = values().into_iter().map(|value| value as f32).collect();
    let groups: Vec<i32> = (0..PLAYERS as i32)
        .map(|player| player % GROUPS as i32)
        .collect();
    let mut folded = vec![0.0; ROWS * GROUPS];
    let (mut offsets, mut picked) = (vec![0; ROWS + 1], vec![0; ROWS * STRONGEST]);
    let mut group = criterion.benchmark_group("aggregate_rows");
    group.throughput(Throughput::Elements(values.len() as u64));
    group.bench_function("fold, strongest, importance", |bench| {
        bench.iter(|| {
            let rows =
                Rows::new(black_box(&values[..]), ROWS, PLAYERS).expect("rows fit the values");
            let wanted = Wanted {
                folded: Some(&mut folded),
                strongest: Some(StrongestGroups {
                    m: STRONGEST,
                    strength: Strength::Absolute,
                    offsets: &mut offsets,
                    groups: &mut picked,
                }),
                importance: true,
            };
            let kernel = RowKernel::fastest();
            let importance = aggregate_rows(rows, &groups, GROUPS, wanted, kernel, &all_threads());
            black_box(importance.expect("there is room"));
        });
    });
    group.finish();
}

fn triples(criterion: &mut Criterion) {
    let entries = ROWS * PLAYERS;
    let values = values();
    let groups = of_players(GROUPS);
    let sorted: Vec<i32> = (0..entries).map(|entry| (entry / PLAYERS) as i32).collect();
    let random: Vec<i32> = (0..entries)
        .map(|entry| (entry * 7_919 % ROWS) as i32)
        .collect();
    let mut sums = vec![0.0; ROWS * GROUPS];
    let mut group = criterion.benchmark_group("fold_triples");
    group.throughput(Throughput::Elements(entries as u64));
    for (name, rows) in [("sorted", &sorted), ("random", &random)] {
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let triples = Triples::new(rows, &groups, &values).expect("lengths are the same");
                fold_triples(triples, ROWS, GROUPS, &mut sums, &all_threads())
                    .expect("there is room");
                black_box(&sums);
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = aggregates, rows_in_one_pass, triples
}
criterion_main!(benches);
