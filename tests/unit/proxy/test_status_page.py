"""The status page's files: what a browser is told about them, and who gets them."""

from __future__ import annotations

import re

import pytest
from aiohttp import ClientSession

from sidecar.proxy.status_page import FILES, FOLDER
from tests.unit.proxy.test_admin import Port, port

__all__ = ["port"]

SCRIPTS = sorted(path for path in FILES if path.endswith(".js"))
# What makes markup, or code, of a text.
SINKS = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(")
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}


@pytest.mark.parametrize("path", sorted(FILES))
async def test_file(port: Port, path: str) -> None:
    """Each file is there without a token, and nothing in it may be loaded or run from elsewhere."""
    status, text, headers = await port.ask(path)
    policy = dict(each.split(" ", 1) for each in headers["Content-Security-Policy"].split("; "))

    assert (200, (FOLDER / FILES[path][0]).read_text()) == (status, text)
    assert FILES[path][1] == headers["Content-Type"]
    assert POLICY == policy
    assert ("no-store", "nosniff", "no-referrer") == tuple(
        headers[name] for name in ("Cache-Control", "X-Content-Type-Options", "Referrer-Policy")
    )


def test_every_file() -> None:
    """What is in the folder is what is served, and nothing else."""
    assert {path.name for path in FOLDER.iterdir()} == {name for name, _ in FILES.values()}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
    ids=["rebound", "foreign-origin", "cross-site"],
)
@pytest.mark.parametrize("path", ["/", "/events", "/page/main.js"])
async def test_strangers(port: Port, path: str, headers: dict[str, str]) -> None:
    """A name that was rebound to us, and every page of another site, gets nothing."""
    status, text, _ = await port.ask(path, **headers)

    assert (403, 0) == (status, port.view.reads)
    assert "<" not in text


@pytest.mark.parametrize("path", ["/", "/events", "/page/main.js"])
async def test_own_page(port: Port, path: str) -> None:
    """The page itself is let in, and so is what it asks for."""
    status, _, _ = await port.ask(path, Sec_Fetch_Site="same-origin")

    assert 200 == status


@pytest.mark.parametrize("path", ["/", "/events", "/page/main.js"])
async def test_only_shown(port: Port, path: str) -> None:
    """The page's files and its stream are for GET and HEAD alone."""
    status, _, headers = await port.ask(path, "POST")

    assert (405, "GET, HEAD") == (status, headers["Allow"])


async def test_no_way_out_of_the_folder(port: Port) -> None:
    """Nothing but the files that are named is served, whatever the path is made of."""
    async with ClientSession() as session:
        for path in (
            "/page/../admin.py",
            "/page/%2e%2e/admin.py",
            "/page/page.css/",
            "/index.html",
        ):
            async with session.get(f"http://{port.host}{path}") as response:
                assert response.status in {400, 404}, path


@pytest.mark.parametrize("path", SCRIPTS)
def test_no_text_becomes_markup(path: str) -> None:
    """No script has a way to make markup or code of a text."""
    script = (FOLDER / FILES[path][0]).read_text()

    assert [] == [sink for sink in SINKS if sink in script]


def test_nothing_inline() -> None:
    """The page has no script, style or handler of its own in it, and names no other origin."""
    page = (FOLDER / "index.html").read_text()

    assert [] == re.findall(r"\son\w+=|\sstyle=|<style|<script(?![^>]*\ssrc=)|https?://", page)


@pytest.mark.parametrize("path", sorted(set(FILES) - {"/page/icon.svg"}))
def test_no_other_origin(path: str) -> None:
    """No file asks for anything from another origin."""
    text = (FOLDER / FILES[path][0]).read_text()

    assert {"http://www.w3.org/2000/svg"} >= set(re.findall(r"https?://[^\s\"')]+", text))


def luminance(colour: str) -> float:
    """WCAG 2.2: how bright a colour is, from 0 to 1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


PAIRS = (
    *(("--text", back) for back in ("--page", "--card", "--hover")),
    *(("--quiet", back) for back in ("--page", "--card", "--hover")),
    ("--accent", "--card"),
    ("--accent-text", "--accent"),
    *((f"--{name}", f"--{name}-back") for name in ("good", "warn", "bad", "cold", "odd")),
    *((f"--{name}", "--page") for name in ("warn", "bad", "cold")),
    ("--warn", "--card"),
    ("--bad", "--card"),
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: str) -> None:
    """Every text has the contrast that WCAG asks for (AA, 4.5), in the light and in the dark."""
    light, dark = (FOLDER / "page.css").read_text().split("@media (prefers-color-scheme: dark)")
    named = dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", light if scheme == "light" else dark))
    faint = {
        pair: round((bright + 0.05) / (deep + 0.05), 2)
        for pair in PAIRS
        for deep, bright in [sorted(luminance(named[name]) for name in pair)]
        if (bright + 0.05) / (deep + 0.05) < 4.5
    }

    assert {} == faint
