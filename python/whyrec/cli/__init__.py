"""The command line: typer commands over the SDK, nothing more."""

import sys


def main() -> None:
    """Run `whyrec`; without typer, say how to get it."""
    try:
        from whyrec.cli.commands import app
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        sys.exit('the command line needs typer: pip install "whyrec[cli]"')
    app()
