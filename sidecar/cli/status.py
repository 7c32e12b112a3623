"""``sidecar status``: what the running sidecar says about itself on its admin port."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from typing import Any

from sidecar.cli.admin_port import admin_url, ask_admin
from sidecar.cli.screen import plain, write_json, write_table
from sidecar.errors import LedgerError, RemoteProtocolError

PAGE = "/status"
ROWS_MAX = 10

# For the status page and for programs.
_HIDDEN = frozenset({"now", "spending"})
_PAYMENT = {"id", "state", "route", "caller", "amount", "proof", "reserved_at", "expires_at"}
# What fits on a terminal of each collection; everything is in the JSON.
_SHOWN: Mapping[str, frozenset[str]] = {
    "routes": frozenset(
        {"name", "provider", "upstream", "wallet", "networks", "max_payment", "budgets"}
    ),
    "balances": frozenset({"kind", "name", "place", "amount", "unit", "hours_to_empty"}),
    "in_doubt": frozenset(_PAYMENT),
    "payments": frozenset(_PAYMENT),
    "approvals": frozenset({"id", "route", "caller", "amount", "until"}),
    "refusals": frozenset({"at", "route", "caller", "status", "rule", "detail"}),
}


def status(args: argparse.Namespace) -> int:
    """0 when it could say how it is; LedgerError when it cannot read its books."""
    url = admin_url(args)
    if args.watch:
        # Not for those who look once.
        from sidecar.cli.watch import watch  # noqa: PLC0415 - see above

        return watch(url, as_json=args.json)
    answer = asyncio.run(read_status(url))
    if args.json:
        write_json(answer)
    else:
        show_status(answer)
    wrong = answer.get("error")
    if wrong is not None:
        raise LedgerError(f"{url}{PAGE}: {plain(wrong)}")
    return 0


async def read_status(url: str) -> Mapping[str, Any]:
    """What the admin port at this URL says. UpstreamError; RemoteProtocolError: no sidecar."""
    told = await ask_admin(url, PAGE)
    if told.status not in {200, 503}:
        raise RemoteProtocolError(f"{url}{PAGE} answered {told.status}; is it a sidecar?")
    return told.document


def show_status(answer: Mapping[str, Any]) -> None:
    """Plain values first, then a table for each collection, so that additions show as well."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for key, value in answer.items():
        rows = rows_of(value)
        if key in _HIDDEN:
            continue
        if rows is None:
            print(f"{plain(key):11} {plain(value)}")
        elif rows:
            tables[key] = rows
    for key, rows in tables.items():
        header = header_of(key, rows)
        print(f"\n{plain(key)}")
        write_table(
            [plain(name).upper() for name in header],
            [[row.get(name) for name in header] for row in rows[:ROWS_MAX]],
            expendable=("EXPIRES_AT", "PROOF", "RESERVED_AT"),
            prose=("DETAIL",),
        )


def header_of(collection: str, rows: list[dict[str, Any]]) -> list[str]:
    """The columns that are shown of a collection, in the order in which its rows have them."""
    names = dict.fromkeys(name for row in rows for name in row)
    shown = _SHOWN.get(collection)
    return [name for name in names if shown is None or name in shown]


def rows_of(value: object) -> list[dict[str, Any]] | None:
    """The rows of a collection; None for what is a plain value."""
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    if isinstance(value, dict) and all(isinstance(item, dict) for item in value.values()):
        return [{"name": name, **item} for name, item in value.items()]
    return None
