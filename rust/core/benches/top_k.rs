//! The k best items of a catalog of 100,000, by the number of queries and by dimension.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use whyrec_core::{Filters, ItemIndex, ItemSets, Search, Workers, top_k};

const ITEMS: usize = 100_000;
const K: usize = 100;
const EXCLUDED: usize = 200;

static STOP: AtomicBool = AtomicBool::new(false);

fn all_threads() -> Workers<'static> {
    Workers::new(None, &STOP).expect("a machine has a thread")
}

/// Vectors whose norms differ e-fold and more, the same in every run.
fn vectors(rows: usize, dimension: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..rows)
        .flat_map(|_| {
            let norm = (next() + next()).exp();
            (0..dimension).map(|_| norm * next()).collect::<Vec<_>>()
        })
        .collect()
}

fn index(dimension: usize) -> ItemIndex {
    let values = vectors(ITEMS, dimension, 1);
    ItemIndex::new(&values, ITEMS, dimension, &vec![0.0; ITEMS], &all_threads())
        .expect("finite vectors of one length")
}

fn searches(criterion: &mut Criterion) {
    for dimension in [64, 128] {
        let index = index(dimension);
        let mut group = criterion.benchmark_group(format!("top_k/d={dimension}"));
        for rows in [1, 6, 32, 256] {
            let queries = vectors(rows, dimension, 2);
            group.throughput(Throughput::Elements((rows * ITEMS) as u64));
            group.bench_function(BenchmarkId::from_parameter(rows), |bench| {
                bench.iter(|| search(&index, &queries, rows, Filters::default()));
            });
        }
        group.finish();
    }
}

fn exclusions(criterion: &mut Criterion) {
    let (dimension, rows) = (64, 32);
    let index = index(dimension);
    let queries = vectors(rows, dimension, 2);
    let offsets: Vec<_> = (0..=rows).map(|row| (row * EXCLUDED) as i64).collect();
    let items: Vec<_> = (0..rows * EXCLUDED)
        .map(|place| (place * 7_919 % ITEMS) as i32)
        .collect();
    let excluded = ItemSets::PerQuery {
        offsets: &offsets,
        items: &items,
    };
    let mut group = criterion.benchmark_group("top_k/exclusions");
    for (name, excluded) in [("none", None), ("200 a query", Some(excluded))] {
        let filters = Filters {
            excluded,
            ..Filters::default()
        };
        group.bench_function(name, |bench| {
            bench.iter(|| search(&index, &queries, rows, filters));
        });
    }
    group.finish();
}

fn build(criterion: &mut Criterion) {
    let values = vectors(ITEMS, 64, 1);
    let biases = vec![0.0; ITEMS];
    let mut group = criterion.benchmark_group("item_index");
    group.throughput(Throughput::Bytes(size_of_val(&values[..]) as u64));
    group.bench_function("new/d=64", |bench| {
        bench.iter(|| ItemIndex::new(black_box(&values), ITEMS, 64, &biases, &all_threads()));
    });
    group.finish();
}

fn search(index: &ItemIndex, queries: &[f32], rows: usize, filters: Filters) {
    let search = Search {
        filters,
        ..Search::new(K)
    };
    let found = top_k(index, black_box(queries), rows, &search, &all_threads());
    black_box(found.expect("queries fit the index"));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = searches, exclusions, build
}
criterion_main!(benches);
