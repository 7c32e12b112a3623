"""The long texts of ``--help``: loaded only for who asks.

__init__  what a page is, and how it is laid out
money     the commands about payments, their rules and the books
serving   the commands that serve, set up or tell how it is
"""

from __future__ import annotations

import textwrap

from sidecar.cli.exits import MEANINGS
from sidecar.values import dataclass

WIDTH = 79

CONFIG = ("./sidecar.yaml", "the config, if none is named; else ~/.config/sidecar/sidecar.yaml")
LEDGER = ("STATE_DIR/ledger.db", "every payment there ever was")
ADMIN_TOKEN = ("STATE_DIR/admin.token", "what lets a command change a running sidecar")
NAMED_CONFIG = ("SIDECAR_CONFIG", "the config, where --config does not name it")
STATE = ("SIDECAR_STATE_DIR", "in place of the config's state_dir")
ADMIN = ("SIDECAR_ADMIN", "the admin address, where no config says it")


@dataclass(frozen=True, slots=True)
class Page:
    """What ``--help`` says of one command beside its flags.

    ``about``: sentences. ``examples``: what can be typed, and what it does. ``statuses``: the exit
    statuses that it can have.
    """

    about: str
    examples: tuple[tuple[str, str], ...]
    statuses: tuple[int, ...] = (0, 2)
    see: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()

    def description(self) -> str:
        """What stands before the flags."""
        return textwrap.fill(self.about, WIDTH)

    def epilog(self) -> str:
        """What stands behind them."""
        parts = [_section("examples", self.examples)]
        parts += [_section("files", self.files)] if self.files else []
        parts += [_section("environment", self.environment)] if self.environment else []
        statuses = (f"  {status}  {MEANINGS[status]}" for status in self.statuses)
        parts.append("\n".join(["exit status:", *statuses]))
        if self.see:
            parts.append(f"see also:\n  {', '.join(f'sidecar {name}' for name in self.see)}")
        return "\n\n".join(parts)


def _section(title: str, rows: tuple[tuple[str, str], ...]) -> str:
    lines = [f"{title}:"]
    for name, what in rows:
        lines.append(f"  {name}")
        lines.append(textwrap.fill(what, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6))
    return "\n".join(lines)


def page_of(command: str) -> Page | None:
    """The page of a command, such as ``wallet new``."""
    from sidecar.cli.manual import money, serving  # noqa: PLC0415 - they are made of this

    return {**serving.PAGES, **money.PAGES}.get(command)
