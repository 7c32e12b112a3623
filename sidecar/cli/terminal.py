"""Tables and progress on a terminal; loaded only where there is one.

Every text is a ``Text``, which is never read as markup: sellers choose some of them. NO_COLOR
takes away all that is not letters.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2
PROSE_WIDTH_MIN = 24

# Words that say at a glance whether all is well.
STYLES = {
    **dict.fromkeys(("ok", "posted", "serving", "payable", "free"), "green"),
    **dict.fromkeys(("warn", "authorized", "reserved", "unknown", "draining"), "yellow"),
    **dict.fromkeys(("fail", "denied", "frozen"), "bold red"),
    "voided": "dim",
}
_AMOUNT = re.compile(r"-?[0-9][0-9.]*( [A-Za-z]+)?", re.ASCII)
_MOMENT = re.compile(
    r"[0-9]{4}-([0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?(?:Z|\+00:00)", re.ASCII
)


def show_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    expendable: Sequence[str],
    prose: Collection[str],
) -> None:
    """As ``screen.write_table``: the cells are plain already."""
    screen = _console()
    cells = [[_MOMENT.sub(r"\1 \2", cell) for cell in row] for row in rows]
    titles = [name.replace("_", "\n") for name in header]
    widths = [
        PROSE_WIDTH_MIN if name in prose else max(map(_width, (title, *column)))
        for name, title, column in zip(header, titles, _columns(header, cells), strict=True)
    ]
    shown, left_out = list(range(len(header))), []
    for name in expendable:
        if _total(widths[at] for at in shown) <= screen.width:
            break
        shown.remove(header.index(name))
        left_out.append(name)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for at in shown:
        column = [row[at] for row in cells]
        is_prose = header[at] in prose
        table.add_column(
            Text(titles[at]),
            justify="right" if _are_amounts(column) else "left",
            no_wrap=not is_prose,
            min_width=None if is_prose else widths[at],
        )
    for row in cells:
        table.add_row(*(Text(row[at], STYLES.get(row[at], "")) for at in shown))
    # The terminal itself goes on in the next line where this is too wide: what is copied from
    # there is whole.
    screen.width = max(screen.width, _total(widths[at] for at in shown))
    screen.print(table, crop=False)
    if left_out:
        names = ", ".join(name.lower() for name in left_out)
        screen.print(Text(f"(too narrow for {names}; --json has all)", "dim"))


@contextmanager
def spinner(what: str) -> Iterator[Callable[[str], None]]:
    """Something that moves on stderr, beside what is under way."""
    with _console(stderr=True).status(Text(what)) as status:
        yield lambda now: status.update(Text(now))


def _console(*, stderr: bool = False) -> Console:
    return Console(
        stderr=stderr,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        highlight=False,
        markup=False,
        emoji=False,
    )


def _columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[row[at] for row in rows] for at in range(len(header))]


def _width(text: str) -> int:
    return max(map(cell_len, text.split("\n")))


def _total(widths: Iterator[int]) -> int:
    each = list(widths)
    return sum(each) + GAP * (len(each) - 1)


def _are_amounts(column: Sequence[str]) -> bool:
    """Whether this is a column of numbers, some of which may be missing."""
    told = [cell for cell in column if cell != "-"]
    return bool(told) and all(_AMOUNT.fullmatch(cell) for cell in told)
