"""Rows of feature values."""

import numpy as np
import polars as pl
import pytest

from whyrec.data.features import Features
from whyrec.data.fields import FeatureSchema, Numeric, Tags
from whyrec.data.tables import read_table


@pytest.fixture
def features() -> Features:
    frame = pl.DataFrame({"size": [1.0, None, 2.0], "tags": [["a", "b"], [], ["b"]]})
    table = read_table(frame, "items")
    return FeatureSchema.fit(table, {"size": Numeric(), "tags": Tags()}).encode(table)


def test_rows_are_taken_in_the_order_asked_for(features: Features) -> None:
    taken = features.take(np.array([2, 1, 0, 2]))
    assert taken.offsets.tolist() == [0, 2, 2, 5, 7]
    assert taken.tokens.tolist() == [0, 2, 0, 1, 2, 0, 2]
    assert taken.weights[0] == taken.weights[5] == features.weights[3]
    assert taken.schema is features.schema
    assert len(taken) == 4


def test_values_that_are_left_out_leave_the_rows_as_they_were(features: Features) -> None:
    kept = features.only(np.array([False, True, True, False, True]))
    assert kept.offsets.tolist() == [0, 2, 2, 3]
    assert kept.tokens.tolist() == [1, 2, 2]
    assert kept.weights.tolist() == features.weights[[1, 2, 4]].tolist()
    assert kept.schema is features.schema


def test_the_fields_of_a_row_are_those_it_has_a_value_of(features: Features) -> None:
    assert [features.fields_of(row).tolist() for row in range(3)] == [[0, 1], [], [0, 1]]
    assert features.fields_of(0).dtype == np.int32


def test_no_features_are_rows_without_values(features: Features) -> None:
    nothing = Features.none(2, features.schema)
    assert nothing.offsets.tolist() == [0, 0, 0]
    assert nothing.tokens.dtype == np.int32
    assert nothing.weights.dtype == np.float32
    assert nothing.take(np.array([1, 1, 1])).offsets.tolist() == [0, 0, 0, 0]
    assert nothing.fields_of(1).tolist() == []
