"""The table as people read it: one section for each part of the config, for config/README.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from sidecar.config.read import VARIABLES
from sidecar.config.reference.key import Key
from sidecar.config.reference.routes import KINDS

BEGIN, END = "<!-- keys -->", "<!-- /keys -->"
# The parts, as they are headed; the keys that have no part of their own come first.
_PARTS = {
    "": "The top",
    "secret": "Secrets",
    "key": "Keys of wallets",
    "wallets": "wallets",
    "chains": "chains",
    "budgets": "budgets",
    "callers": "callers",
    "routes": "routes",
    "limits": "limits",
    "recovery": "recovery",
    "balances": "balances",
    "log": "log",
}
_EVERY = frozenset(KINDS)


def page_part(keys: Sequence[Key]) -> str:
    """Every key, between the two marks."""
    parts = (_part(part, heading, keys) for part, heading in _PARTS.items())
    return "\n".join([BEGIN, *parts, END])


def replaced(page: str, keys: Sequence[Key]) -> str:
    """The page with its part between the marks made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{page_part(keys)}{after}"


def _part(part: str, heading: str, keys: Sequence[Key]) -> str:
    found = list(_rows(part, keys))
    rows = [row for _, row in found]
    about = next((key.meaning for key in keys if key.path == part), "")
    header = ["key", "value", "default", "what it does"]
    if part == "routes":
        header.insert(3, "on routes of")
        rows = [[*row[:3], _routes(key), row[3]] for key, row in found]
    lines = [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
    return "\n".join([f"\n### {heading}\n", *([about, ""] if about else []), *lines])


def _rows(part: str, keys: Sequence[Key]) -> Iterator[tuple[Key, list[str]]]:
    for key in keys:
        root = key.path.replace("[]", "").partition(".")[0]
        at_top = key.parent == "" and not any(each.parent == key.path for each in keys)
        belongs = at_top or root in {"hosts", "ledger"} if part == "" else root == part
        if belongs and key.path != part and not _is_bare(key, keys):
            yield key, [f"`{_shown_path(key, part)}`", key.kind.words, _default(key), _told(key)]


def _is_bare(key: Key, keys: Sequence[Key]) -> bool:
    """Whether its row would only say that there is an item, or a mapping."""
    holds = any(each.parent == key.path for each in keys)
    return key.name in {"[]", "*"} or (holds and key.path == "ledger")


def _shown_path(key: Key, part: str) -> str:
    path = key.path.removeprefix(part).removeprefix("[]").removeprefix(".")
    return path.removeprefix("*.") or key.path


def _default(key: Key) -> str:
    if key.usually:
        return key.usually
    if key.default is not None:
        text = key.default if isinstance(key.default, str) else json.dumps(key.default)
        return f"`{text}`"
    return "required" if key.required or key.required_on else "-"


def _told(key: Key) -> str:
    told = key.meaning
    if key.override:
        told += f" Also `{VARIABLES[key.override]}`."
    if key.example is not None and key.default is None:
        text = key.example if isinstance(key.example, str) else json.dumps(key.example)
        told += f" Such as `{text}`."
    return told


def _routes(key: Key) -> str:
    if not key.routes:
        return ""
    return (
        "any" if key.routes == _EVERY else ", ".join(each for each in KINDS if each in key.routes)
    )
