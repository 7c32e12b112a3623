"""The screen of ``status --watch``; loaded only on a terminal.

Every text is a ``Text`` without control characters, which is never read as markup: sellers and
apps choose some of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sidecar.cli.screen import plain
from sidecar.cli.status import rows_of
from sidecar.cli.terminal import STYLES
from sidecar.money import Usdc

BAR_LETTERS = 24
SENTENCE_WIDTH = 20
ROWS_MAX = 6
# What a person acts on comes first; of each what fits beside an id, which stays whole.
SECTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "approvals": ("id", "amount", "route", "caller", "until"),
        "in_doubt": ("id", "amount", "route", "caller", "reserved_at"),
        "refusals": ("at", "route", "caller", "rule", "detail"),
        "balances": ("name", "place", "amount", "unit", "hours_to_empty"),
        "payments": ("id", "state", "amount", "route", "caller", "reserved_at"),
    }
)
_MOMENT = re.compile(r"[0-9]{4}-([0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})\S*", re.ASCII)
_STATE = ("state", "mode", "frozen", "version", "uptime_s", "error")


@contextmanager
def live_screen() -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A screen of its own; call what it gives with each answer. It is gone afterwards."""
    console = Console(
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        highlight=False,
        markup=False,
        emoji=False,
    )
    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield lambda answer: live.update(picture(answer), refresh=True)


def picture(answer: Mapping[str, Any]) -> RenderableType:
    """Everything on one screen."""
    said = [f"{name} {plain(answer[name])}" for name in _STATE if answer.get(name) is not None]
    style = "bold red" if answer.get("error") or answer.get("frozen") else "bold"
    parts: list[RenderableType] = [Text("  ".join(["sidecar", *said]), style)]
    budgets = rows_of(answer.get("budgets")) or []
    if budgets:
        parts += [Text("\nbudgets", "bold"), _budgets(budgets)]
    for name in SECTIONS:
        rows = rows_of(answer.get(name)) or []
        if rows:
            more = f" (the newest {ROWS_MAX})" if len(rows) > ROWS_MAX else ""
            parts += [Text(f"\n{name.replace('_', ' ')}{more}", "bold"), _table(name, rows)]
    parts.append(Text("\nCtrl-C ends this; the sidecar goes on", "dim"))
    return Group(*parts)


def _budgets(rows: list[dict[str, Any]]) -> Table:
    table = _empty_table()
    table.add_column(min_width=BAR_LETTERS)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    for row in rows:
        amounts = [row.get(name) for name in ("limit", "spent", "reserved")]
        told = f"{plain(row.get('remaining'))} left of {plain(row.get('limit'))}"
        reset = f"until {_shown(row['resets_at'])}" if row.get("resets_at") else ""
        table.add_row(bar(*amounts), Text(told), Text(plain(row.get("name"))), Text(reset, "dim"))
    return table


def bar(limit: object, spent: object, reserved: object) -> Text:
    """How much of a budget is gone (#), and may be going (=)."""
    whole, gone, going = (_atomic(amount) for amount in (limit, spent, reserved))
    text = Text()
    if whole:
        # What there is shows, however little.
        letters = [
            min(-(-BAR_LETTERS * part // whole), BAR_LETTERS) for part in (gone, gone + going)
        ]
        text.append("#" * letters[0], "red")
        text.append("=" * (letters[1] - letters[0]), "yellow")
    text.append("." * (BAR_LETTERS - len(text)), "green")
    return text


def _atomic(amount: object) -> int:
    try:
        return Usdc.parse(str(amount)).atomic
    except ValueError:
        return 0


def _table(name: str, rows: list[dict[str, Any]]) -> Table:
    header = [column for column in SECTIONS[name] if any(column in row for row in rows)]
    cells = [[_shown(row.get(column)) for column in header] for row in rows[:ROWS_MAX]]
    table = _empty_table(show_header=True)
    for at, column in enumerate(header):
        title = column.replace("_", " ")
        # Half of an id or of an amount is none; a sentence goes on in the next line.
        whole = max(cell_len(text) for text in (title, *(line[at] for line in cells)))
        table.add_column(Text(title), min_width=SENTENCE_WIDTH if column == "detail" else whole)
    for line in cells:
        table.add_row(*(Text(cell, STYLES.get(cell, "")) for cell in line))
    return table


def _shown(value: object) -> str:
    # The year is known, and what is less than a second is of no use here.
    return _MOMENT.sub(r"\1 \2", plain(value))


def _empty_table(*, show_header: bool = False) -> Table:
    return Table(
        box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", show_header=show_header
    )
