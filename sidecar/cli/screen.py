"""What a person sees: aligned tables on a terminal, tab-separated lines anywhere else.

Sellers and apps choose some of the texts, so nothing that could steer a terminal is passed on.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def write_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """One line for each row, to stdout."""
    texts = [[plain(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for line in (header, *texts):
            print("\t".join(line))
        return
    columns = zip(header, *texts, strict=True)
    widths = [max(len(cell) for cell in column) for column in columns]
    title = _padded(header, widths)
    print(title if os.environ.get("NO_COLOR") else f"{BOLD}{title}{PLAIN}")
    for line in texts:
        print(_padded(line, widths))


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


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()
