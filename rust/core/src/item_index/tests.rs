//! Indices that grow and change, and indices as files.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;

static NEVER: AtomicBool = AtomicBool::new(false);

fn workers() -> Workers<'static> {
    Workers::new(Some(2), &NEVER).unwrap()
}

fn index(vectors: &[f32], dimension: usize, biases: &[f32]) -> ItemIndex {
    ItemIndex::new(vectors, biases.len(), dimension, biases, &workers()).unwrap()
}

/// Numbers that look random, the same every time.
pub(crate) fn numbers(count: usize, mut seed: u64) -> Vec<f32> {
    (0..count)
        .map(|_| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// Vectors and biases as the index has them.
fn contents(index: &ItemIndex) -> Vec<(Vec<f32>, f32)> {
    (0..index.len() as u32)
        .map(|item| {
            let (rows, row) = index.find(item);
            (rows.vector(row).to_vec(), rows.bias(row))
        })
        .collect()
}

#[derive(Debug, Clone)]
enum Change {
    Append(usize),
    Replace(Vec<usize>),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0_usize..40).prop_map(Change::Append),
        proptest::collection::btree_set(0_usize..60, 0..20)
            .prop_map(|items| items.into_iter().collect::<Vec<_>>())
            .prop_shuffle()
            .prop_map(Change::Replace),
    ]
}

proptest! {
    #[test]
    fn an_index_holds_what_was_put_into_it_last(
        first in 0_usize..60, changes in proptest::collection::vec(change(), 0..12)
    ) {
        let mut seed = 1;
        let mut rows = |count: usize| {
            seed += 1;
            (numbers(count * 3, seed), numbers(count, seed + 1_000))
        };
        let (vectors, biases) = rows(first);
        let mut index = index(&vectors, 3, &biases);
        let mut expected: Vec<(Vec<f32>, f32)> =
            vectors.chunks(3).map(<[f32]>::to_vec).zip(biases).collect();
        let mut added = first;
        for change in changes {
            let before = (index.clone(), contents(&index));
            match change {
                Change::Append(count) => {
                    let (vectors, biases) = rows(count);
                    index = index.appended(&vectors, count, &biases, &workers()).unwrap();
                    expected.extend(vectors.chunks(3).map(<[f32]>::to_vec).zip(biases));
                    added += count;
                }
                Change::Replace(items) => {
                    let items: Vec<i32> =
                        items.iter().filter(|item| **item < added).map(|item| *item as i32).collect();
                    let (vectors, biases) = rows(items.len());
                    index = index.replaced(&items, &vectors, &biases, &workers()).unwrap();
                    for (place, item) in items.iter().enumerate() {
                        expected[*item as usize] =
                            (vectors[3 * place..3 * place + 3].to_vec(), biases[place]);
                    }
                }
            }
            prop_assert_eq!(contents(&index), expected.clone());
            prop_assert_eq!(contents(&before.0), before.1);
            let lengths: Vec<usize> = index.segments.iter().map(|segment| segment.rows.len()).collect();
            prop_assert!(lengths.windows(2).all(|pair| pair[0] >= 2 * pair[1]), "{lengths:?}");
        }
    }
}

#[test]
fn what_is_added_shares_the_rows_that_are_there() {
    let (vectors, biases) = (numbers(100 * 2, 1), numbers(100, 2));
    let old = index(&vectors, 2, &biases);
    let new = old.appended(&[1.0, 2.0], 1, &[3.0], &workers()).unwrap();
    assert!(Arc::ptr_eq(&old.segments[0], &new.segments[0]));
    let changed = old.replaced(&[7], &[1.0, 2.0], &[3.0], &workers()).unwrap();
    assert!(Arc::ptr_eq(&old.segments[0], &changed.segments[0]));
}

#[test]
fn replacing_everything_leaves_one_segment() {
    let old = index(&numbers(10, 1), 2, &numbers(5, 2));
    let items = [4, 3, 2, 1, 0];
    let new = old
        .replaced(&items, &numbers(10, 3), &numbers(5, 4), &workers())
        .unwrap();
    assert_eq!(new.segments.len(), 1);
    assert_eq!(new.segments[0].rows.len(), 5);
}

#[test]
fn changes_that_make_no_sense_are_named() {
    let old = index(&[1.0, 2.0, 3.0, 4.0], 2, &[0.0; 2]);
    let message = |items: &[i32], vectors: &[f32], biases: &[f32]| {
        old.replaced(items, vectors, biases, &workers())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(&[1, 0, 1], &[0.0; 6], &[0.0; 3]),
        "items: entry 2 is 1, which came before; name each once"
    );
    assert_eq!(
        message(&[2], &[0.0; 2], &[0.0]),
        "items: entry 0 is 2, outside 0..2"
    );
    assert_eq!(
        message(&[0], &[0.0; 3], &[0.0]),
        "vectors: expected 2 values (items × dimension), got 3"
    );
    assert_eq!(
        message(&[0], &[0.0; 2], &[0.0; 2]),
        "biases: expected 1 entries (one for each item), got 2"
    );
    let error = old
        .appended(&[0.0, f32::NAN], 1, &[0.0], &workers())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "vectors: row 0, column 1 is NaN; every value must be finite"
    );
    let error = old
        .appended(&[0.0, 0.0], 1, &[f32::INFINITY], &workers())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "biases: entry 0 is inf; every value must be finite"
    );
}

fn saved(index: &ItemIndex) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items.index");
    index.save(&path, &workers()).unwrap();
    (folder, path)
}

fn coded() -> ItemIndex {
    index(&numbers(5_000 * 3, 1), 3, &numbers(5_000, 2))
}

fn refusal(path: &std::path::Path) -> String {
    let message = ItemIndex::open(path).unwrap_err().to_string();
    let prefix = format!("{}: ", path.display());
    message
        .strip_prefix(&prefix)
        .expect("the file is named")
        .to_owned()
}

#[test]
fn a_file_holds_the_index_with_its_codes() {
    for index in [
        coded(),
        index(&numbers(5_000 * 3, 1), 3, &[0.0; 5_000]),
        index(&numbers(20, 1), 2, &numbers(10, 2)),
        index(&[], 0, &numbers(7, 2)),
        index(&[], 4, &[]),
        coded()
            .appended(&numbers(30, 5), 10, &numbers(10, 6), &workers())
            .unwrap(),
    ] {
        let (_folder, path) = saved(&index);
        let opened = ItemIndex::open(&path).unwrap();
        opened.verify(&workers()).unwrap();
        assert_eq!(
            (opened.len(), opened.dimension()),
            (index.len(), index.dimension())
        );
        assert_eq!(contents(&opened), contents(&index));
        let is_coded =
            |index: &ItemIndex| index.segments.first().is_some_and(|s| s.codes.is_some());
        assert_eq!(is_coded(&opened), is_coded(&index));
    }
}

#[test]
fn an_index_that_was_opened_can_be_added_to_and_saved_in_its_own_place() {
    let (_folder, path) = saved(&coded());
    let opened = ItemIndex::open(&path).unwrap();
    let more = opened
        .appended(&numbers(3, 7), 1, &[1.0], &workers())
        .unwrap();
    more.save(&path, &workers()).unwrap();
    assert_eq!(ItemIndex::open(&path).unwrap().len(), 5_001);
    // Who has the old file open keeps it.
    assert_eq!(contents(&opened), contents(&coded()));
    opened.check_file().unwrap();
}

#[test]
fn a_file_that_was_cut_or_grown_is_refused() {
    let (_folder, path) = saved(&coded());
    let length = fs::metadata(&path).unwrap().len();
    let resize = |length| {
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(length)
            .unwrap()
    };
    for other in [length - 1, length + 1, 4_096] {
        resize(other);
        assert_eq!(
            refusal(&path),
            format!("it has {other} bytes and should have {length}; it was cut or grown")
        );
    }
    for short in [0, 100, 4_095] {
        resize(short);
        assert_eq!(
            refusal(&path),
            format!("{short} bytes are too few for an index; it was cut short")
        );
    }
}

fn overwrite(path: &std::path::Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn every_byte_of_the_header_counts() {
    let (_folder, path) = saved(&coded());
    let whole = fs::read(&path).unwrap();
    for at in 0..88 {
        overwrite(&path, at, &[whole[at as usize] ^ 0x41]);
        let reason = refusal(&path);
        let expected = match at {
            0..8 => "this is no index of items",
            8..12 => "it has version",
            12..16 => "it was written on a machine with another byte order; build it anew",
            _ => "the header is damaged: its checksum does not fit",
        };
        assert!(reason.starts_with(expected), "byte {at}: {reason}");
        fs::write(&path, &whole).unwrap();
    }
    ItemIndex::open(&path).unwrap();
}

#[test]
fn damage_anywhere_is_found_when_it_is_looked_for() {
    let (_folder, path) = saved(&coded());
    let whole = fs::read(&path).unwrap();
    let mut found = std::collections::BTreeSet::new();
    for at in (4_096..whole.len()).step_by(997) {
        overwrite(&path, at as u64, &[whole[at] ^ 1]);
        let error = ItemIndex::open(&path).unwrap().verify(&workers());
        if let Err(error) = error {
            let message = error.to_string();
            let (_, reason) = message.split_once(": the ").unwrap();
            found.insert(reason.split(" are damaged").next().unwrap().to_owned());
        }
        overwrite(&path, at as u64, &[whole[at]]);
    }
    assert!(
        found.is_superset(
            &["vectors", "biases", "codes", "scales", "order"]
                .map(String::from)
                .into()
        )
    );
}

#[test]
fn a_file_that_is_altered_while_it_is_open_is_noticed() {
    let (_folder, path) = saved(&coded());
    let opened = ItemIndex::open(&path).unwrap();
    opened.check_file().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    overwrite(&path, 5_000, &[1]);
    assert!(
        opened
            .check_file()
            .unwrap_err()
            .to_string()
            .contains("written to after it had been opened")
    );
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(10_000).unwrap();
    assert!(
        opened
            .check_file()
            .unwrap_err()
            .to_string()
            .contains("and has 10000 now; open it again")
    );
}

#[test]
fn files_that_cannot_be_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refusal(&folder.path().join("none")).contains("No such file") || cfg!(not(unix)));
    let nowhere = folder.path().join("no/such/folder/items.index");
    let error = coded().save(&nowhere, &workers()).unwrap_err().to_string();
    assert!(error.starts_with(&nowhere.display().to_string()), "{error}");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

#[test]
fn a_save_that_is_stopped_leaves_the_file_that_was_there() {
    let (folder, path) = saved(&coded());
    let before = fs::read(&path).unwrap();
    let stop = AtomicBool::new(true);
    let stopped = coded().save(&path, &Workers::new(Some(1), &stop).unwrap());
    assert_eq!(stopped, Err(Error::Stopped));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
