"""What a reason_id says, for whom, and what it refuses."""

import base64
import datetime
import hashlib
import json
from collections.abc import Hashable
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from whyrec import SDK, EASEConfig
from whyrec.data.dataset import Dataset
from whyrec.errors import ArgumentError
from whyrec.reasons.reason import ReasonKind
from whyrec.reasons.reason_id import About, Seal, read, reason_id

IDS: list[Hashable] = [
    "fig",
    "",
    "ü\0\ud800",
    7,
    -(2**70),
    2.5,
    True,
    ("shelf", 3, ("a", None)),
    frozenset({1, "a"}),
    datetime.date(2024, 5, 1),
    UUID(int=5),
    Decimal("1.10"),
    b"raw",
]
ABOUT = About(ReasonKind.HISTORY, "alien", 4.5, "aliens")


@pytest.fixture(scope="module")
def sdk(shop: Dataset) -> SDK:
    return SDK.fit_dataset(shop, model=EASEConfig(), progress=False)


@pytest.mark.parametrize("one", IDS)
def test_what_it_is_about_is_read_back(one: Hashable) -> None:
    for user in (one, "ann", None):
        for about in (
            About(ReasonKind.HISTORY, one, 4.5, one),
            About(ReasonKind.ITEM_FEATURE, "genres", one, "aliens"),
            About(ReasonKind.USER_ATTRIBUTE, "age", None, 3),
        ):
            name = reason_id(about, Seal.of("m1", user))
            assert read(name, "m1", user) == about
            assert name.isascii()
            assert not set(name) - set("-_.") - set(map(chr, range(48, 123)))


def test_it_is_the_same_for_the_same_and_another_for_any_other() -> None:
    seals = [Seal.of(model, user) for model in ("m1", "m2") for user in ("1", 1, None, "", "2")]
    abouts = [
        ABOUT,
        ABOUT._replace(kind=ReasonKind.HISTORY_GROUP),
        ABOUT._replace(source="Alien"),
        ABOUT._replace(value=None),
        ABOUT._replace(value="4.5"),
        ABOUT._replace(item_id="alien"),
    ]
    once, again = ([reason_id(about, seal) for seal in seals for about in abouts] for _ in "ab")
    assert once == again
    assert len(set(once)) == len(seals) * len(abouts)
    assert reason_id(ABOUT, Seal.of("m1", 1)) == reason_id(ABOUT, Seal.of("m1", 1.0))


def test_one_of_another_model_or_another_user_is_refused_by_why() -> None:
    name = reason_id(ABOUT, Seal.of("m1", "ann"))
    with pytest.raises(ArgumentError, match="is of another model than 'm2'; ask again"):
        read(name, "m2", "ann")
    for user, whom in (("bob", "user 'bob'"), (1, "user 1"), (None, "a visitor")):
        with pytest.raises(ArgumentError, match=f"is of a reason for somebody else than {whom}"):
            read(name, "m1", user)


def test_one_that_is_cut_short_or_altered_is_malformed() -> None:
    name = reason_id(ABOUT, Seal.of("m1", "ann"))
    altered = [
        name[:place] + ("A" if name[place] != "A" else "B") + name[place + 1 :]
        for place in range(3, len(name))
    ]
    no_list = f"r1.e30.{hashlib.sha256(b'e30').hexdigest()[:16]}"
    broken: list[object] = [name[:-1], name + "A", "", ".", "r1..", "r1.e30.x", no_list, 7, None]
    for each in [*altered, *broken]:
        with pytest.raises(ArgumentError, match="is malformed; send it as"):
            read(each, "m1", "ann")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="begins with 'r2'; this whyrec reads 'r1' alone"):
        read("r2" + name[2:], "m1", "ann")


def test_an_id_of_a_type_that_has_no_text_is_named_but_not_read_back() -> None:
    class Own:
        def __str__(self) -> str:
            return "mine"

    name = reason_id(ABOUT._replace(source=Own()), Seal.of("m1", Own()))
    with pytest.raises(ArgumentError, match=r"cannot be read back: '\?Own: mine' is not"):
        read(name, "m1", Own())


def test_every_reason_of_an_answer_has_one_of_its_own(sdk: SDK) -> None:
    users = ["u3", "u5", "u0"]
    options = {"max_reasons": None, "group_by": "style"}
    answers = [
        *sdk.recommend_with_reasons(users, 4, **options),  # type: ignore[call-overload]
        sdk.recommend_for(["i3", "i4"], {"age": 30}, 4),
        *sdk.recommend_with_reasons(users, 4, against=3),
    ]
    n_reasons = 0
    for answer in answers:
        for each in answer:
            for reason in each.reasons:
                about = read(reason.reason_id, sdk.model_id, answer.user_id)
                assert about == (reason.kind, reason.source, reason.value, each.item_id)
                n_reasons += 1
            assert len({reason.reason_id for reason in each.reasons}) == len(each.reasons)
    assert n_reasons > 50
    explained = sdk.explain("u3", answers[0][0].item_id, group_by="style")
    assert explained.reasons[0].reason_id == answers[0][0].reasons[0].reason_id


def test_no_id_of_a_user_is_in_it(sdk: SDK) -> None:
    for reason in sdk.recommend_with_reasons("u3", 1)[0].reasons:
        text = reason.reason_id.split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        assert len(told) == 6
        assert "su3" not in told


def test_a_model_has_one_name_after_save_and_load_and_another_one_another(
    sdk: SDK, shop: Dataset, tmp_path: Path
) -> None:
    sdk.save(tmp_path)
    loaded = SDK.load(tmp_path)
    assert loaded.model_id == sdk.model_id
    assert loaded.recommend("u3").model_id == sdk.model_id
    again, other = (
        SDK.fit_dataset(shop, model=EASEConfig(l2=l2), progress=False)
        for l2 in (EASEConfig().l2, 7)
    )
    assert again.model_id == sdk.model_id != other.model_id
    assert len(sdk.model_id) == 32


def test_answers_that_say_the_same_are_equal_but_for_name_and_time(sdk: SDK) -> None:
    one, other = (sdk.recommend_with_reasons("u3") for _ in range(2))
    assert one == other
    assert one.request_id != other.request_id
    assert one.created_at <= other.created_at
    assert one.created_at.tzinfo is datetime.UTC
