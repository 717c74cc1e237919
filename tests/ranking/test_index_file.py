"""An index as a file: what is mapped answers as what was saved, and damage is found."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from whyrec.errors import StorageError
from whyrec.ranking import ItemIndex, Ranking
from whyrec.types import Float32Array

N_ITEMS, DIMENSION = 6_000, 12


def make(n_items: int = N_ITEMS) -> tuple[ItemIndex, Float32Array]:
    """Make an index that has codes, and queries for it."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((n_items, DIMENSION), np.float32)
    vectors *= rng.lognormal(size=(n_items, 1)).astype(np.float32)
    queries = rng.standard_normal((9, DIMENSION), np.float32)
    return ItemIndex(vectors, rng.standard_normal(n_items, np.float32)), queries


def bits(ranking: Ranking) -> list[bytes]:
    return [part.tobytes() for part in (ranking.offsets, ranking.items, ranking.scores)]


@pytest.mark.parametrize("n_items", [0, 3, N_ITEMS])
def test_what_is_opened_answers_as_what_was_saved(tmp_path: Path, n_items: int) -> None:
    index, queries = make(n_items)
    index.save(tmp_path / "items.index")
    for path in (tmp_path / "items.index", str(tmp_path / "items.index")):
        opened = ItemIndex.open(path, verify=True)
        assert repr(opened) == repr(index)
        assert bits(opened.top_k(queries, 20)) == bits(index.top_k(queries, 20))


def test_an_index_that_has_grown_is_saved_as_one(tmp_path: Path) -> None:
    index, queries = make()
    rng = np.random.default_rng(1)
    grown = index.appended(rng.standard_normal((50, DIMENSION), np.float32)).replaced(
        np.array([7, 3], np.int32), rng.standard_normal((2, DIMENSION), np.float32)
    )
    grown.save(tmp_path / "items.index")
    opened = ItemIndex.open(tmp_path / "items.index")
    assert bits(opened.top_k(queries, 500)) == bits(grown.top_k(queries, 500))


def test_to_save_again_replaces_the_file_and_leaves_the_open_one_in_use(tmp_path: Path) -> None:
    index, queries = make()
    index.save(tmp_path / "items.index")
    opened = ItemIndex.open(tmp_path / "items.index")
    make(100)[0].save(tmp_path / "items.index")
    assert bits(opened.top_k(queries, 20)) == bits(index.top_k(queries, 20))
    assert ItemIndex.open(tmp_path / "items.index").n_items == 100
    assert [path.name for path in tmp_path.iterdir()] == ["items.index"]


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(10_000)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def swap(path: Path) -> None:
    path.write_bytes(b"something else" * 1_000)


def alter_header(path: Path) -> None:
    alter(path, 20)


def alter(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, r"items\.index: it has 10000 bytes and should have \d+; it was cut or grown"),
        (grow, r"items\.index: it has \d+ bytes and should have \d+; it was cut or grown"),
        (swap, r"items\.index: this is no index of items"),
        (alter_header, r"items\.index: the header is damaged"),
        (Path.unlink, r"items\.index: .*"),
    ],
)
def test_a_file_that_is_no_whole_index_is_refused(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "items.index"
    make()[0].save(path)
    damage(path)
    with pytest.raises(StorageError, match=message):
        ItemIndex.open(path)


def test_damage_within_is_found_when_it_is_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "items.index"
    make()[0].save(path)
    alter(path, 4_096 + 1_000)
    ItemIndex.open(path)
    with pytest.raises(StorageError, match="the vectors are damaged: their checksum does not fit"):
        ItemIndex.open(path, verify=True)


@pytest.mark.parametrize("damage", [cut, grow])
def test_a_file_that_is_altered_while_it_is_open_is_refused_by_the_next_call(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "items.index"
    index, queries = make()
    index.save(path)
    opened = ItemIndex.open(path)
    ranking = opened.top_k(queries, 3)
    damage(path)
    for ask in (
        lambda: opened.top_k(queries, 3),
        lambda: opened.scores(queries, ranking.pairs()),
        lambda: opened.save(tmp_path / "copy.index"),
    ):
        with pytest.raises(
            StorageError, match=r"when it was opened and has \d+ now; open it again"
        ):
            ask()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere/items\.index"):
        make()[0].save(tmp_path / "nowhere" / "items.index")


SHARD = """
import sys
import numpy as np
from whyrec.ranking import ItemIndex

path, first, queries, answer = sys.argv[1:]
shard = ItemIndex.open(path)
items = np.arange(int(first), int(first) + shard.n_items, dtype=np.int32)
ranking = shard.top_k(np.load(queries), 150).renumbered(items)
np.savez(answer, offsets=ranking.offsets, items=ranking.items, scores=ranking.scores)
"""


def test_shards_answered_in_other_processes_merge_to_the_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.integers(-2, 3, (20_000, 8)).astype(np.float32)  # ties across shards are many
    queries = rng.integers(-2, 3, (7, 8)).astype(np.float32)
    np.save(tmp_path / "queries.npy", queries)
    rankings = []
    for first in (0, 7_000, 14_000):
        path, answer = tmp_path / f"{first}.index", tmp_path / f"{first}.npz"
        ItemIndex(vectors[first : first + 7_000]).save(path)
        arguments = map(str, [path, first, tmp_path / "queries.npy", answer])
        subprocess.run([sys.executable, "-c", SHARD, *arguments], check=True)
        with np.load(answer) as parts:
            rankings.append(Ranking(parts["offsets"], parts["items"], parts["scores"]))
    whole = ItemIndex(vectors).top_k(queries, 150)
    assert bits(Ranking.merge(rankings, 150)) == bits(whole)
