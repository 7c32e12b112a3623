"""Whom TLS believes: the system's certificates, read once, where somebody is reached over it.

aiohttp reads them twice as it is imported, for two contexts of its own: a fifth of a start and
2 MB, whoever needs them. So it is imported here, before any other module of this package, and its
own contexts are left without certificates: a connection made by one of them fails.
"""

from __future__ import annotations

import ssl
import sys
from functools import cache


@cache
def believed() -> ssl.SSLContext:
    """The context of all connections over TLS. What it reads stays as long as the process."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _import_aiohttp() -> None:
    if "aiohttp" in sys.modules:
        return
    ssl.SSLContext.set_default_verify_paths = _read_nothing  # type: ignore[assignment]
    try:
        import aiohttp  # noqa: F401, PLC0415 - under these conditions, and no others
    finally:
        # What it inherits is there again.
        del ssl.SSLContext.set_default_verify_paths


def _read_nothing(context: ssl.SSLContext) -> None:
    """In place of reading the certificates."""


_import_aiohttp()
