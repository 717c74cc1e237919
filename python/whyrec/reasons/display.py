"""Results on a screen: one grid of text, shown in a terminal or in a notebook."""

from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

NO_HISTORY = "No history: answered from attributes and base value alone."
BY_RATINGS = "Reasons were chosen among the strong ones by what users have said of reasons."


@dataclass(frozen=True, slots=True)
class Grid:
    """What is shown: a title, a header, cells that may have several lines, a note below."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str | None = None
    numeric: frozenset[str] = frozenset()
    """The columns that are aligned at the right."""

    def to_rich(self) -> Table:
        """Return a table for a terminal; brackets in a label are no markup."""
        table = Table(
            title=Text(self.title),
            caption=None if self.note is None else Text(self.note),
            title_justify="left",
            caption_justify="left",
        )
        for name in self.header:
            justify: Literal["right", "left"] = "right" if name in self.numeric else "left"
            table.add_column(Text(name), justify=justify, no_wrap=name in self.numeric)
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table

    def to_text(self) -> str:
        """Return the table as a terminal shows it, without colour."""
        console = Console(file=StringIO(), color_system=None)
        with console.capture() as captured:
            console.print(self.to_rich())
        return "\n".join(line.rstrip() for line in captured.get().splitlines())

    def to_html(self) -> str:
        """Return the table for a notebook, everything escaped."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.header)
        body = "".join(f"<tr>{self._html_cells(row)}</tr>" for row in self.rows)
        note = "" if self.note is None else f"<p><em>{escape(self.note)}</em></p>"
        return (
            f"<table><caption>{escape(self.title)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"
        )

    def _html_cells(self, row: tuple[str, ...]) -> str:
        cells = []
        for name, cell in zip(self.header, row, strict=True):
            side = "right" if name in self.numeric else "left"
            text = "<br>".join(map(escape, cell.split("\n")))
            cells.append(f'<td style="text-align: {side}">{text}</td>')
        return "".join(cells)
