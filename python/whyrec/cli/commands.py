"""The commands: each reads its arguments, asks the SDK once and shows the answer."""

import json
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from whyrec.cli import feedback
from whyrec.cli.arguments import AsJson, Directory, User
from whyrec.cli.ids import known, known_all, meant
from whyrec.data.event_columns import EventColumns
from whyrec.errors import StorageError, WhyrecError
from whyrec.explain import ExplainerConfig, NetworkConfig
from whyrec.models import (
    DeepRankerConfig,
    EASEConfig,
    PopularityConfig,
    RecommenderConfig,
    TwoTowerConfig,
)
from whyrec.reasons.explanation import Explanation
from whyrec.reasons.recommendation import Recommendations
from whyrec.sdk import SDK
from whyrec.storage.manifest import MANIFEST_NAME

_INTERRUPTED = 130
"""What a shell gives a command that Ctrl-C has ended: 128 and the number of the signal."""


class Model(StrEnum):
    """The recommenders that `whyrec fit` can train."""

    TWO_TOWER = "two-tower"
    EASE = "ease"
    POPULARITY = "popularity"


class UnknownItems(StrEnum):
    """What `whyrec fit` does with events of items that the items table does not have."""

    DROP = "drop"
    ERROR = "error"


class _Commands(TyperGroup):
    """The commands, which end with one line and an exit code where the SDK refuses."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except WhyrecError as error:
            typer.echo(f"error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            raise typer.Exit(_INTERRUPTED) from None


app = typer.Typer(
    cls=_Commands,
    help="Recommendations with reasons that add up to the score.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# What several commands share.
K = Annotated[int, typer.Option("-k", help="How many items at most.")]
GroupBy = Annotated[
    str | None,
    typer.Option(help="A field of the items: events that share a value of it are one reason."),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"whyrec {version('whyrec')}")
        raise typer.Exit


@app.callback()
def _whyrec(
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass


@app.command()
def demo() -> None:
    """Fit on real ratings and recommend with reasons."""
    from whyrec.demo import run_demo

    run_demo(Console())


@app.command()
def fit(
    events: Annotated[
        Path, typer.Argument(help="A CSV or Parquet file, one row per event.", metavar="EVENTS")
    ],
    out: Annotated[Path, typer.Option(help="The directory to save to.", metavar="DIR")],
    items: Annotated[Path | None, typer.Option(help="A file with one row per item.")] = None,
    users: Annotated[Path | None, typer.Option(help="A file with one row per user.")] = None,
    user_column: Annotated[str | None, typer.Option(help="Who did it.")] = None,
    item_column: Annotated[str | None, typer.Option(help="With which item.")] = None,
    time_column: Annotated[str | None, typer.Option(help="When.")] = None,
    value_column: Annotated[str | None, typer.Option(help="A rating or a quantity.")] = None,
    kind_column: Annotated[str | None, typer.Option(help="View, click, purchase.")] = None,
    unknown_items: Annotated[
        UnknownItems, typer.Option(help="What to do with events of items not in the items file.")
    ] = UnknownItems.ERROR,
    model: Annotated[Model, typer.Option(help="What scores.")] = Model.TWO_TOWER,
    ranker: Annotated[
        bool | None,
        typer.Option(help="Re-order the best items; by default those of two towers."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Read tables, train on them and save the result.

    Columns that are not named are guessed from the usual names.
    """
    _demand_room(out)
    recommender, explainer = _configs(model, seed)
    with_ranker = model is Model.TWO_TOWER if ranker is None else ranker
    sdk = SDK.fit(
        events,
        items,
        users,
        columns=EventColumns(
            user_id=user_column,
            item_id=item_column,
            timestamp=time_column,
            value=value_column,
            kind=kind_column,
        ),
        unknown_items=unknown_items.value,
        model=recommender,
        ranker=DeepRankerConfig(seed=seed) if with_ranker else None,
        explainer=explainer,
        progress=not quiet,
    )
    sdk.save(out)
    if not quiet:
        typer.echo(f"{sdk.report}\nsaved in {out}")


@app.command()
def recommend(
    directory: Directory,
    user: User,
    k: K = 10,
    max_reasons: Annotated[int, typer.Option(help="How many reasons per item at most.")] = 3,
    group_by: GroupBy = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="An item to leave out; may be given again.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="An item that may be; may be given again.")
    ] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Let items of the user's own history in.")
    ] = False,
    as_json: AsJson = False,
    no_reasons: Annotated[
        bool, typer.Option("--no-reasons", help="Do not say why, which is faster.")
    ] = False,
) -> None:
    """Recommend items to a user, and say why."""
    sdk = SDK.load(directory)
    who, items = meant(sdk, user), sdk.dataset.items
    without = known_all(items, exclude or ())
    among = known_all(items, only) if only else None
    if no_reasons:
        answer = sdk.recommend(who, k, exclude=without, only=among, include_seen=include_seen)
    else:
        answer = sdk.recommend_with_reasons(
            who,
            k,
            max_reasons=max_reasons,
            group_by=group_by,
            exclude=without,
            only=among,
            include_seen=include_seen,
        )
    _show(answer, as_json)


@app.command()
def explain(
    directory: Directory,
    user: User,
    item: Annotated[str, typer.Argument(help="The id of an item, seen or not.", metavar="ITEM")],
    against: Annotated[
        list[str] | None,
        typer.Option(help="The id of an item to hold it against: why this rather than that?"),
    ] = None,
    max_reasons: Annotated[
        int | None, typer.Option(help="How many reasons at most; all, if not given.")
    ] = None,
    group_by: GroupBy = None,
    as_json: AsJson = False,
) -> None:
    """Say why an item scores as it does for a user."""
    sdk = SDK.load(directory)
    answer = sdk.explain(
        meant(sdk, user),
        known(sdk.dataset.items, item),
        against=known_all(sdk.dataset.items, against) if against else None,
        max_reasons=max_reasons,
        group_by=group_by,
    )
    _show(answer, as_json)


@app.command()
def evaluate(
    directory: Directory,
    events: Annotated[
        Path, typer.Argument(help="A file of held-out events, as `fit` reads.", metavar="EVENTS")
    ],
    k: K = 10,
    as_json: AsJson = False,
) -> None:
    """Compare recommendations with what users did afterwards."""
    accuracy = SDK.load(directory).evaluate(events, k)
    if as_json:
        typer.echo(json.dumps({"n_users": accuracy.n_users, **accuracy.means()}))
    else:
        typer.echo(accuracy)


@app.command()
def check(
    directory: Directory,
    examples: Annotated[int, typer.Option(help="How many cases of each invariant.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Try what must hold of every ranking and of all reasons; exit with 1 where something broke."""
    from whyrec.testing import check_recommender

    report = check_recommender(SDK.load(directory), examples=examples)
    typer.echo(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else report)
    if not report.holds:
        raise typer.Exit(1)


for command in (
    feedback.record,
    feedback.refit,
    feedback.history,
    feedback.controls,
    feedback.forget,
    feedback.salvage,
):
    app.command()(command)


def _demand_room(out: Path) -> None:
    """Refuse before the training, not after it, where the result cannot be saved."""
    if out.exists() and not out.is_dir():
        raise StorageError(f"{out} is a file; name a directory to save to")
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST_NAME).exists():
        raise StorageError(f"{out} holds other files; name a new or an empty directory to save to")


def _configs(model: Model, seed: int) -> tuple[RecommenderConfig, ExplainerConfig | None]:
    """Return the settings of a recommender and of its explainer; None leaves it to the SDK."""
    match model:
        case Model.TWO_TOWER:
            return TwoTowerConfig(seed=seed), NetworkConfig(seed=seed)
        case Model.EASE:
            return EASEConfig(), None
        case Model.POPULARITY:
            return PopularityConfig(), None


def _show(answer: Recommendations | Explanation, as_json: bool) -> None:
    if as_json:
        typer.echo(answer.to_json())
    else:
        Console().print(answer)
