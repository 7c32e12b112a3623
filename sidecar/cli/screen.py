"""What a person sees: aligned tables on a terminal, tab-separated lines anywhere else.

Sellers and apps choose some of the texts, so nothing that could steer a terminal is passed on.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any


def write_table(
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    expendable: Sequence[str] = (),
    prose: Collection[str] = (),
) -> None:
    """One line for each row, to stdout.

    On a terminal that is too narrow, columns of ``expendable`` are left out, the first of them
    first, and told of; the cells of ``prose`` go on in a next line. What else there is stays
    whole: half of an id is none.
    """
    texts = [[plain(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for line in (header, *texts):
            print("\t".join(line))
        return
    # It takes a tenth of a second to load, which only a person who looks is worth.
    from sidecar.cli import terminal  # noqa: PLC0415 - see above

    terminal.show_table(header, texts, expendable, prose)


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Say on a terminal that this is under way, until it is over; call what it gives to go on.

    It is said on stderr. Nothing is said where nobody looks.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield lambda what: None
        return
    from sidecar.cli import terminal  # noqa: PLC0415 - as in write_table

    with terminal.spinner(plain(what)) as tell:
        yield lambda what: tell(plain(what))


def write_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """The value as JSON, to stdout."""
    print(json.dumps(value, indent=2))


def utc(moment: datetime, timespec: str = "milliseconds") -> str:
    """The moment as ISO 8601 has it, with a Z."""
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def plain(value: object) -> str:
    """The value as text without control characters; nothing is a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value) or "-"
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))
