"""Whom TLS believes: the system's certificates, read once, where somebody is reached over it.

aiohttp reads them twice as it is imported, for two contexts of its own: a fifth of a start and
2 MB, whoever needs them. So it is imported here, before any other module of this package, and its
own contexts are left without certificates: a connection made by one of them fails.

The same import brings C code for what is never done here, 1.3 MB of it: that is left out. The
classes that it makes twice stay, a third of a megabyte: to search for them takes 8 % of a start.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# Of callbacks of aiohttp's applications, websockets, archives and pickles. Each has a way in
# Python beside it, which its library takes where this is missing.
NEVER_USED = (
    *("frozenlist._frozenlist", "aiohttp._websocket.reader_c", "aiohttp._websocket.mask"),
    *("_bz2", "_lzma", "_pickle", "_uuid"),
)


@cache
def believed() -> ssl.SSLContext:
    """The context of all connections over TLS. What it reads stays as long as the process."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _import_aiohttp() -> None:
    if "aiohttp" in sys.modules:
        return
    # Another one in its place, for as long as the import takes.
    ssl.SSLContext.set_default_verify_paths = _read_nothing  # type: ignore[assignment]
    try:
        with _left_out(NEVER_USED):
            import aiohttp  # noqa: F401, PLC0415 - under these conditions, and no others
    finally:
        # What it inherits is there again.
        del ssl.SSLContext.set_default_verify_paths


@contextmanager
def _left_out(names: tuple[str, ...]) -> Iterator[None]:
    """Let these be missing for as long as this lasts, where they are not loaded yet."""
    absent = [name for name in names if name not in sys.modules]
    for name in absent:
        # How the import system is told that there is no such module.
        sys.modules[name] = None  # type: ignore[assignment]  # as it is told
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def _read_nothing(context: ssl.SSLContext) -> None:
    """In place of reading the certificates."""


_import_aiohttp()
