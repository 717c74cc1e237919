"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Directory = Annotated[Path, typer.Argument(help="What `whyrec fit` has saved.", metavar="DIR")]
User = Annotated[str, typer.Argument(help="The id of a user.", metavar="USER")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
