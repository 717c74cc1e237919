"""Fields fitted by hand: what each kind reads, weighs and says of itself."""

import json
from datetime import date, datetime
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from whyrec.data.features import Features
from whyrec.data.fields import Categorical, FeatureSchema, Field, Numeric, Tags, Text
from whyrec.data.tables import read_table
from whyrec.errors import ArgumentError, DataError, StorageError


def fit(frame: object, **specs: Field) -> FeatureSchema:
    return FeatureSchema.fit(read_table(frame, "items"), specs)


def said(features: Features, row: int) -> list[tuple[str, object]]:
    """What a row's tokens and weights say, as a reader sees it."""
    values = slice(features.offsets[row], features.offsets[row + 1])
    pairs = zip(features.tokens[values], features.weights[values], strict=True)
    return [features.schema.describe(int(token), float(weight)) for token, weight in pairs]


def weights(features: Features, row: int) -> list[float]:
    found: list[float] = features.weights[
        features.offsets[row] : features.offsets[row + 1]
    ].tolist()
    return found


def objects(*cells: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": pd.Series(cells, dtype=object)})


class TestCategorical:
    def test_each_category_weighs_one(self) -> None:
        frame = pl.DataFrame({"x": ["red", "blue", "red", None]})
        features = fit(frame, x=Categorical()).encode(frame)
        assert [said(features, row) for row in range(4)] == [
            [("x", "red")],
            [("x", "blue")],
            [("x", "red")],
            [],
        ]
        assert weights(features, 0) == [1.0]
        assert features.weights.dtype == np.float32
        assert features.tokens.dtype == np.int32

    def test_an_empty_text_is_no_value(self) -> None:
        frame = pl.DataFrame({"x": ["", "a", "", "b"]})
        schema = fit(frame, x=Categorical())
        assert schema.n_tokens == 2
        assert [said(schema.encode(frame), row) for row in range(4)] == [
            [],
            [("x", "a")],
            [],
            [("x", "b")],
        ]

    def test_a_category_never_seen_is_no_value(self) -> None:
        schema = fit(pl.DataFrame({"x": ["a", "b"]}), x=Categorical())
        features = schema.encode(pl.DataFrame({"x": ["c", "b"]}))
        assert said(features, 0) == []
        assert said(features, 1) == [("x", "b")]

    def test_categories_of_any_type_come_back_as_they_are(self) -> None:
        cells = (1, "1", True, (1, 2), date(2024, 1, 1))[1:]
        features = fit(objects(*cells), x=Categorical()).encode(objects(*cells))
        assert [said(features, row)[0][1] for row in range(4)] == list(cells)

    def test_a_rare_category_is_no_value(self) -> None:
        frame = pl.DataFrame({"x": ["a", "b", "a", "c"]})
        schema = fit(frame, x=Categorical(min_count=2))
        assert schema.n_tokens == 1
        assert [len(said(schema.encode(frame), row)) for row in range(4)] == [1, 0, 1, 0]

    def test_only_the_most_frequent_categories_are_kept_in_order_of_appearance(self) -> None:
        frame = pl.DataFrame({"x": ["d", "a", "b", "b", "c", "c", "a"]})
        schema = fit(frame, x=Categorical(max_values=3))
        assert [schema.describe(token, 1.0)[1] for token in range(3)] == ["a", "b", "c"]

    def test_lists_are_no_categories(self) -> None:
        with pytest.raises(DataError, match=r'items: column "x" is nested'):
            fit(pl.DataFrame({"x": [["a"], ["b"]]}), x=Categorical())

    def test_a_category_that_could_not_be_stored_is_refused(self) -> None:
        with pytest.raises(DataError, match=r"holds a Period .* cannot be stored"):
            fit(pd.DataFrame({"x": pd.period_range("2020", freq="Y", periods=2)}), x=Categorical())


class TestTags:
    @pytest.mark.parametrize(
        "frame",
        [
            pl.DataFrame({"x": [["a", "b"], ["b"], [], None]}),
            pd.DataFrame({"x": [["a", "b"], ["b"], [], None]}),
            pd.DataFrame({"x": [("a", "b"), ("b",), (), None]}),
            objects(np.array(["a", "b"]), {"b"}, frozenset(), float("nan")),
            pl.DataFrame(
                {"x": [["a", "b"], ["b"], [], None]}, schema={"x": pl.List(pl.Categorical)}
            ),
            pa.table(
                {"x": pa.array([["a", "b"], ["b"], [None], None], pa.list_(pa.string_view()))}
            ),
            pl.DataFrame({"x": ["a|b", "b", "", None]}),
            pl.DataFrame({"x": [" a | b |", "b|b", " | ", None]}),
        ],
        ids=[
            "polars",
            "pandas",
            "tuples",
            "arrays and sets",
            "categories",
            "views",
            "text",
            "ragged",
        ],
    )
    def test_tags_weigh_one_by_the_root_of_their_number(self, frame: object) -> None:
        features = fit(frame, x=Tags(separator="|")).encode(frame)
        assert [said(features, row) for row in range(4)] == [
            [("x", "a"), ("x", "b")],
            [("x", "b")],
            [],
            [],
        ]
        assert weights(features, 0) == pytest.approx([2**-0.5] * 2)
        assert weights(features, 1) == [1.0]

    def test_a_text_without_separator_is_one_tag(self) -> None:
        frame = pl.DataFrame({"x": ["a|b", "c"]})
        assert said(fit(frame, x=Tags()).encode(frame), 0) == [("x", "a|b")]

    def test_numbers_can_be_tags(self) -> None:
        frame = pl.DataFrame({"x": [[3, 1], [1]]})
        assert said(fit(frame, x=Tags()).encode(frame), 0) == [("x", 3), ("x", 1)]

    def test_the_root_counts_only_tags_that_are_known(self) -> None:
        frame = pl.DataFrame({"x": [["a", "b"], ["a", "c"]]})
        features = fit(frame, x=Tags(min_count=2)).encode(frame)
        assert weights(features, 0) == [1.0]

    def test_the_order_of_a_set_makes_no_difference(self) -> None:
        words = {f"word {n}" for n in range(50)}
        schema = fit(objects(words, {"word 1"}), x=Tags())
        assert [schema.describe(token, 1.0)[1] for token in range(50)] == sorted(words)

    @pytest.mark.parametrize(
        "frame",
        [
            pl.DataFrame({"x": [1, 2]}),
            pl.DataFrame({"x": [[["a"]], [["b"]]]}),
            objects(["a"], 5),
            objects(["a"], [["b"]]),
        ],
        ids=["numbers", "lists of lists", "a number", "a list in a list"],
    )
    def test_what_is_no_list_of_plain_tags_is_refused(self, frame: object) -> None:
        with pytest.raises(DataError, match=r'items: column "x"'):
            fit(frame, x=Tags())


class TestNumeric:
    def test_weights_are_standardised(self) -> None:
        frame = pl.DataFrame({"x": [1.0, 2.0, None, float("nan"), 6.0]})
        features = fit(frame, x=Numeric()).encode(frame)
        np.testing.assert_allclose(features.weights.mean(), 0, atol=1e-7)
        np.testing.assert_allclose(features.weights.std(), 1, rtol=1e-6)
        assert np.diff(features.offsets).tolist() == [1, 1, 0, 0, 1]
        assert features.schema.n_tokens == 1

    @pytest.mark.parametrize(
        ("numbers", "shortest"),
        [
            ([1995, 1902, 2016, 1], [1995, 1902, 2016, 1]),
            ([1.5, 2.25, -3.0, 0.1], [1.5, 2.25, -3.0, 0.1]),
            ([0.1, 0.2, 0.30000000000000004], [0.1, 0.2, 0.3]),
            ([19.99, 5.0, 149.95] * 100 + [9999.99], [19.99, 5.0, 149.95] * 100 + [9999.99]),
            ([5, 5], [5, 5]),
            ([123_456_789, 123_456_790, 123_456_795], [123_456_789, 123_456_790, 123_456_795]),
        ],
        ids=["years", "floats", "thirds", "outlier", "constant", "close together"],
    )
    def test_numbers_are_shown_as_they_were(
        self, numbers: list[float], shortest: list[float]
    ) -> None:
        frame = pl.DataFrame({"x": numbers})
        features = fit(frame, x=Numeric()).encode(frame)
        shown: list[Any] = [said(features, row)[0][1] for row in range(len(numbers))]
        assert {type(number) for number in shown} == {type(numbers[0])}
        assert shown == shortest

    def test_whole_numbers_that_came_as_floats_are_shown_whole(self) -> None:
        frame = pd.DataFrame({"x": [1995, 2001, None, 1980]})
        assert frame["x"].dtype == np.float64
        shown = said(fit(frame, x=Numeric()).encode(frame), 0)[0][1]
        assert shown == 1995
        assert isinstance(shown, int)

    def test_an_outlier_weighs_little_more_than_five(self) -> None:
        numbers = np.append(np.zeros(10_000), [1e9, -1e9])
        features = fit(pl.DataFrame({"x": numbers}), x=Numeric()).encode(
            pl.DataFrame({"x": numbers})
        )
        high, low = features.weights[-2:]
        assert 5 < high < 10
        assert low == -high

    def test_weights_rise_with_the_number_across_the_bend(self) -> None:
        schema = fit(pl.DataFrame({"x": [-1.0, 1.0]}), x=Numeric())
        rising = np.linspace(-50, 50, 2001)
        features = schema.encode(pl.DataFrame({"x": rising}))
        assert (np.diff(features.weights) > 0).all()
        inside = np.abs(rising) <= 5
        np.testing.assert_allclose(features.weights[inside], rising[inside], rtol=1e-6, atol=1e-7)

    def test_numbers_that_are_all_equal_weigh_nothing(self) -> None:
        frame = pl.DataFrame({"x": [0.1, 0.1, 0.1, None]})
        features = fit(frame, x=Numeric()).encode(frame)
        assert features.weights.tolist() == [0.0, 0.0, 0.0]
        assert said(features, 0) == [("x", 0.1)]

    @pytest.mark.parametrize("cell", [date(1995, 11, 22), datetime(1995, 11, 22, 9, 30)])
    def test_dates_are_shown_as_dates(self, cell: date) -> None:
        frame = pl.DataFrame({"x": [cell, type(cell)(2020, 1, 1), type(cell)(1930, 6, 1), None]})
        features = fit(frame, x=Numeric()).encode(frame)
        assert said(features, 0) == [("x", "1995-11-22")]
        assert said(features, 3) == []

    def test_dates_may_come_as_text_later(self) -> None:
        schema = fit(pl.DataFrame({"x": [date(1995, 11, 22), date(2020, 1, 1)]}), x=Numeric())
        assert said(schema.encode_one({"x": "1995-11-22"}), 0) == [("x", "1995-11-22")]
        assert said(schema.encode_one({"x": date(1995, 11, 22)}), 0) == [("x", "1995-11-22")]

    def test_infinite_numbers_are_refused_with_their_rows(self) -> None:
        frame = pl.DataFrame({"x": [1.0, float("inf")]})
        with pytest.raises(DataError, match=r'items: column "x" has 1 non-finite value \(row 1\)'):
            fit(frame, x=Numeric())

    def test_text_is_no_number(self) -> None:
        with pytest.raises(DataError, match=r'items: column "x" must hold numbers'):
            fit(pl.DataFrame({"x": ["1", "2"]}), x=Numeric())


class TestText:
    frame = pl.DataFrame(
        {
            "x": [
                "the whale and the captain",
                "The Captain, and the CREW",
                "the zebra",
                "",
                None,
                "unheard",
            ]
        }
    )

    def test_words_that_rows_share_are_tokens_in_lower_case(self) -> None:
        features = fit(self.frame, x=Text()).encode(self.frame)
        assert said(features, 0) == [("x", "and"), ("x", "captain"), ("x", "the")]
        assert said(features, 1) == said(features, 0)
        assert said(features, 2) == [("x", "the")]
        assert [said(features, row) for row in (3, 4, 5)] == [[], [], []]

    def test_the_squares_of_the_weights_of_a_row_add_up_to_one(self) -> None:
        features = fit(self.frame, x=Text(max_words=2)).encode(self.frame)
        for row in range(3):
            assert np.square(weights(features, row)).sum() == pytest.approx(1, rel=1e-6)

    def test_only_the_strongest_words_of_a_row_are_kept(self) -> None:
        everything = fit(self.frame, x=Text(min_count=1)).encode(self.frame)
        strongest = fit(self.frame, x=Text(min_count=1, max_words=2)).encode(self.frame)
        pairs = sorted(zip(weights(everything, 0), said(everything, 0), strict=True))
        assert len(pairs) == 4
        assert sorted(said(strongest, 0)) == sorted(word for _, word in pairs[-2:])
        assert ("x", "whale") in said(strongest, 0)

    def test_a_rare_word_weighs_more_than_a_common_one(self) -> None:
        features = fit(self.frame, x=Text(min_count=1)).encode(self.frame)
        weight = dict(zip(said(features, 2), weights(features, 2), strict=True))
        assert weight["x", "zebra"] > weight["x", "the"]

    def test_only_the_most_frequent_words_are_known(self) -> None:
        assert fit(self.frame, x=Text(max_features=1)).describe(0, 1.0) == ("x", "the")

    def test_no_language_is_assumed(self) -> None:
        frame = pl.DataFrame(
            {"x": ["über die Brücke", "Brücke über Wasser", "мост над рекой", "мост"]}
        )
        schema = fit(frame, x=Text())
        words = {schema.describe(token, 1.0)[1] for token in range(schema.n_tokens)}
        assert words == {"über", "brücke", "мост"}

    def test_numbers_are_no_text(self) -> None:
        with pytest.raises(DataError, match=r'items: column "x" must hold text but has 5 in row 1'):
            fit(objects(None, 5), x=Text())


class TestFeatureSchema:
    frame = pl.DataFrame(
        {
            "year": [1990, 2000, None],
            "genres": [["a", "b"], ["b"], None],
            "maker": ["acme", None, "bolt"],
            "plot": ["a long way home", "the way home", "nothing"],
        }
    )
    specs: ClassVar[dict[str, Field]] = {
        "maker": Categorical(),
        "year": Numeric(),
        "genres": Tags(),
        "plot": Text(),
    }

    @pytest.fixture
    def schema(self) -> FeatureSchema:
        return FeatureSchema.fit(read_table(self.frame, "items"), self.specs)

    def test_tokens_are_numbered_one_field_after_the_other(self, schema: FeatureSchema) -> None:
        assert schema.field_names == ("maker", "year", "genres", "plot")
        assert schema.offsets.tolist() == [0, 2, 3, 5, 7]
        assert schema.n_tokens == 7
        assert schema.token_fields.dtype == np.int16
        assert schema.token_fields.tolist() == [0, 0, 1, 2, 2, 3, 3]

    def test_every_row_holds_the_values_of_all_its_fields(self, schema: FeatureSchema) -> None:
        features = schema.encode(self.frame)
        assert said(features, 0) == [
            ("maker", "acme"),
            ("year", 1990),
            ("genres", "a"),
            ("genres", "b"),
            ("plot", "home"),
            ("plot", "way"),
        ]
        assert features.fields_of(0).tolist() == [0, 1, 2, 3]
        assert said(features, 2) == [("maker", "bolt")]
        for row in range(3):
            row_tokens = features.tokens[features.offsets[row] : features.offsets[row + 1]]
            assert (np.diff(row_tokens) > 0).all()

    def test_one_row_encodes_as_it_does_among_many(self, schema: FeatureSchema) -> None:
        features = schema.encode(self.frame)
        for row, values in enumerate(self.frame.to_dicts()):
            alone = schema.encode_one(values)
            assert len(alone) == 1
            alike = features.take(np.array([row]))
            assert alone.tokens.tolist() == alike.tokens.tolist()
            assert alone.weights.tolist() == alike.weights.tolist()

    def test_a_visitor_may_leave_fields_out(self, schema: FeatureSchema) -> None:
        assert said(schema.encode_one({"year": 2000}), 0) == [("year", 2000)]
        assert said(schema.encode_one({}), 0) == []
        assert said(schema.encode_one({"maker": None, "genres": []}), 0) == []

    def test_a_visitor_of_a_category_never_seen_is_of_none(self, schema: FeatureSchema) -> None:
        assert said(schema.encode_one({"maker": "new", "genres": ["a", "new"]}), 0) == [
            ("genres", "a")
        ]

    def test_an_unknown_field_is_told_with_the_known_ones(self, schema: FeatureSchema) -> None:
        with pytest.raises(
            ArgumentError,
            match=r'unknown field "colour"; the fields are "maker", "year", "genres", "plot"',
        ):
            schema.encode_one({"year": 2000, "colour": "red"})

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"year": "old"}, r'"year" must hold numbers'),
            ({"year": float("inf")}, r'"year" has 1 non-finite value'),
            ({"maker": ["acme"]}, r'"maker" holds a list'),
            ({"genres": 5}, r'"genres" holds a int'),
            ({"plot": 5}, r'"plot" must hold text'),
        ],
        ids=["year", "infinite", "maker", "genres", "plot"],
    )
    def test_a_value_that_does_not_fit_its_field_is_refused(
        self, schema: FeatureSchema, values: dict[str, object], message: str
    ) -> None:
        with pytest.raises(ArgumentError, match=rf"attributes: column {message}"):
            schema.encode_one(values)

    def test_a_table_without_a_column_is_refused(self, schema: FeatureSchema) -> None:
        with pytest.raises(DataError, match='there is no column "genres"'):
            schema.encode(self.frame.drop("genres"))

    def test_other_columns_make_no_difference(self, schema: FeatureSchema) -> None:
        wider = self.frame.select(pl.lit(1).alias("extra"), *reversed(self.frame.columns))
        assert schema.encode(wider).tokens.tolist() == schema.encode(self.frame).tokens.tolist()

    def test_no_fields_read_no_values(self) -> None:
        features = FeatureSchema().encode(self.frame)
        assert len(features) == 3
        assert features.offsets.tolist() == [0, 0, 0, 0]
        assert features.schema.n_tokens == 0
        assert features.schema.field_names == ()

    def test_the_state_survives_json(self, schema: FeatureSchema) -> None:
        back = FeatureSchema.from_json(json.loads(json.dumps(schema.to_json())))
        assert back == schema
        mine, its = schema.encode(self.frame), back.encode(self.frame)
        assert mine.tokens.tobytes() == its.tokens.tobytes()
        assert mine.weights.tobytes() == its.weights.tobytes()

    def test_categories_of_any_type_survive_json(self) -> None:
        frame = objects((1, 2), date(2024, 1, 1), True, (1, 2))
        schema = fit(frame, x=Categorical())
        assert FeatureSchema.from_json(json.loads(json.dumps(schema.to_json()))) == schema

    @pytest.mark.parametrize(
        "state",
        [{}, {"fields": [{"kind": "other"}]}, {"fields": [{"kind": "text"}]}, {"fields": 5}],
    )
    def test_a_damaged_state_is_refused(self, state: dict[str, Any]) -> None:
        with pytest.raises(StorageError, match="feature schema is damaged"):
            FeatureSchema.from_json(state)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Categorical(min_count=0),
        lambda: Categorical(max_values=0),
        lambda: Tags(separator=""),
        lambda: Tags(min_count=0),
        lambda: Tags(max_values=0),
        lambda: Text(max_words=0),
        lambda: Text(min_count=0),
        lambda: Text(max_features=0),
    ],
)
def test_a_setting_out_of_range_is_refused(build: Any) -> None:
    with pytest.raises(ArgumentError, match="must"):
        build()
