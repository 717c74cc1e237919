"""The commands of feedback: what users did and asked for, to forget them, and to recover a file."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from whyrec.cli.arguments import AsJson, Directory, User
from whyrec.cli.ids import meant
from whyrec.data.wording import count
from whyrec.feedback import Control, PastEvent
from whyrec.feedback import salvage as recover
from whyrec.reasons.display import Grid
from whyrec.reasons.export import json_text
from whyrec.sdk import SDK


def record(
    directory: Directory,
    events: Annotated[
        Path, typer.Argument(help="A CSV or Parquet file, one row per event.", metavar="EVENTS")
    ],
) -> None:
    """Keep events; the next answer is drawn from them.

    The columns are those that `fit` has read. With a column "event_id" the same file can be
    recorded again, and changes nothing.
    """
    n_new = SDK.load(directory).record(events)
    typer.echo(f"{n_new:,} new events recorded in {directory}")


def refit(
    directory: Directory,
    events: Annotated[Path | None, typer.Option(help="A file of further events.")] = None,
    items: Annotated[Path | None, typer.Option(help="A file of new or changed items.")] = None,
    users: Annotated[Path | None, typer.Option(help="A file of new or changed users.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Train on all that was recorded, from the saved model on, and save the new one in its place.

    Files have the columns that `fit` has read. Until the end the old model stands.
    """
    sdk = SDK.load(directory)
    refitted = sdk.refit(events, items, users, progress=not quiet)
    refitted.save(directory)
    if not quiet:
        known = refitted.report
        typer.echo(
            f"{count(known.n_events, 'event')} of {count(known.n_users, 'user')} with "
            f"{count(known.n_items, 'item')}\nsaved in {directory}"
        )


def history(directory: Directory, user: User, as_json: AsJson = False) -> None:
    """Show what a user did, oldest first."""
    sdk = SDK.load(directory)
    who = meant(sdk, user)
    events = sdk.history(who)
    if as_json:
        typer.echo(json_text([asdict(each) for each in events], None))
    else:
        Console().print(_events(f"{count(len(events), 'event')} of user {who!r}", events).to_rich())


def controls(directory: Directory, user: User, as_json: AsJson = False) -> None:
    """Show what a user has objected to and hidden."""
    sdk = SDK.load(directory)
    who = meant(sdk, user)
    standing = sdk.controls(who)
    if as_json:
        typer.echo(json_text([asdict(each) for each in standing], None))
    else:
        Console().print(
            _controls(f"{count(len(standing), 'control')} of user {who!r}", standing).to_rich()
        )


def forget(
    directory: Directory,
    user: User,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase all that is kept of a user, and what the data set has."""
    sdk = SDK.load(directory)
    who = meant(sdk, user)
    if not yes:
        typer.confirm(f"erase all that {directory} has of user {who!r}?", abort=True)
    typer.echo(sdk.forget(who))


def salvage(
    store: Annotated[Path, typer.Argument(help="A damaged file of feedback.", metavar="STORE")],
    into: Annotated[Path, typer.Argument(help="The new file; there is none yet.", metavar="INTO")],
) -> None:
    """Recover what is readable of a damaged store of feedback, as a new one."""
    typer.echo(recover(store, into))


def _events(title: str, events: list[PastEvent]) -> Grid:
    rows = [
        (
            "" if each.timestamp is None else _time(each.timestamp),
            str(each.item_id),
            each.kind,
            "" if each.value is None else f"{each.value:g}",
            "" if each.counts else "no",
            each.event_id or "",
        )
        for each in events
    ]
    return Grid(title, ("when (UTC)", "item", "kind", "value", "counts", "event_id"), tuple(rows))


def _controls(title: str, standing: list[Control]) -> Grid:
    rows = [
        (
            _time(each.timestamp),
            each.kind.replace("_", " "),
            str(each.source),
            "" if each.value is None else str(each.value),
            f"{each.weight:g}",
            each.event_id,
        )
        for each in standing
    ]
    return Grid(title, ("when (UTC)", "kind", "source", "value", "weight", "event_id"), tuple(rows))


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
