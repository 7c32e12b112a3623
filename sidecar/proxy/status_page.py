"""The status page's files, and what a browser is told about them.

They are read when somebody asks for them. Nothing but what comes from this port may be loaded or
run, and no text may become markup: what sellers and apps say is shown on the page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from sidecar.proxy import web

FOLDER = Path(__file__).with_name("page")
_SCRIPT, _IMAGE = "text/javascript; charset=utf-8", "image/svg+xml"
# By path: the file, and what it is.
FILES: Mapping[str, tuple[str, str]] = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page/icon.svg": ("icon.svg", _IMAGE),
    **{
        f"/page/{name}": (name, _SCRIPT)
        for name in (
            "main.js",
            "feed.js",
            "switches.js",
            "elements.js",
            "words.js",
            "chart.js",
            "money.js",
            "lists.js",
        )
    },
}
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


async def page_file(path: str) -> web.Response:
    """One of the files by its path."""
    name, content_type = FILES[path]
    body = await asyncio.to_thread((FOLDER / name).read_bytes)
    return web.Response(body=body, headers={**HEADERS, "Content-Type": content_type})
