"""What libraries say through the standard ``logging`` goes into the same log."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sidecar.logs.faults import quotes_the_wire, show_fault
from sidecar.logs.lines import Fields, Level, Line

NOT_HTTP = "a request that is not valid HTTP was refused"
# Its lines hold whole targets, and a query may hold secrets. Ours is the canonical line.
_SILENT = "aiohttp.access"


class Bridge(logging.Handler):
    """Hands each record on as a line."""

    def __init__(self, write: Callable[[Line], None]) -> None:
        super().__init__()
        self._write = write
        self._replaced: list[logging.Handler] = []
        self._level_before = logging.NOTSET

    def install(self, level: Level) -> None:
        """Take the place of every handler that the root logger has."""
        root = logging.getLogger()
        self._replaced, self._level_before = root.handlers[:], root.level
        root.handlers[:] = [self]
        self.set_level(level)
        logging.captureWarnings(True)

    def set_level(self, level: Level) -> None:
        """Take records from this level on."""
        logging.getLogger().setLevel(level.upper())

    def remove(self) -> None:
        """Put back what was there."""
        logging.captureWarnings(False)
        root = logging.getLogger()
        root.handlers[:] = self._replaced
        root.setLevel(self._level_before)

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on one record; where it would quote a request, a fixed sentence instead."""
        if record.name == _SILENT:
            return
        fault = record.exc_info[1] if record.exc_info else None
        if fault is not None and quotes_the_wire(fault):
            self._write(Line("warning", "log", {"logger": record.name, "message": NOT_HTTP}))
            return
        fields: Fields = {"logger": record.name, "message": _message(record)}
        if fault is not None:
            fields["exception"] = show_fault(fault)
        self._write(Line(_level(record.levelno), "log", fields))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        # logging itself would print the arguments, past us, to stderr.
        return str(record.msg)


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
