"""``sidecar payments``: the newest rows of the ledger, whether the sidecar runs or not."""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

from sidecar.cli.config_file import read_config
from sidecar.cli.desk import open_desk, require_ledger
from sidecar.cli.screen import plain, utc, write_json, write_table
from sidecar.clock import Clock, SystemClock
from sidecar.errors import ConfigError
from sidecar.ledger.model import Payment

LIMIT_MAX = 100_000

Row: TypeAlias = Mapping[str, str | int | bool | None]

_COLUMNS = (
    "id",
    "state",
    "route",
    "caller",
    "purpose",
    "network",
    "amount_usdc",
    "amount_atomic",
    "pay_to",
    "transaction",
    "reserved_at",
    "settled_at",
    "delivered_at",
    "confirmed",
    "proof",
    "closed_at",
    "resolved_by",
)
# What fits on a terminal; everything is in the JSON and the CSV.
_SHOWN = (
    *("reserved_at", "id", "state", "route", "caller", "purpose"),
    *("amount_usdc", "delivered_at", "proof"),
)
_EXPENDABLE = ("PROOF", "PURPOSE", "DELIVERED_AT", "CALLER", "ROUTE")
_SINCE = re.compile(r"([1-9][0-9]{0,4})([mhd])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def payments(args: argparse.Namespace) -> int:
    """0, also when there are none."""
    if not 1 <= args.limit <= LIMIT_MAX:
        raise ConfigError(f"--limit: out of range: {args.limit}; use 1 to {LIMIT_MAX}")
    since = None if args.since is None else _moment(args.since, SystemClock())
    desk = open_desk(read_config(args), os.environ)
    require_ledger(desk)
    found = desk.payments(since, args.limit)
    resolvers = desk.resolvers(found)
    rows = [row_of(payment, resolvers.get(payment.id)) for payment in found]
    if args.json:
        write_json(rows)
    elif args.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows([_csv_cell(row[column]) for column in _COLUMNS] for row in rows)
    else:
        write_table(
            [column.upper() for column in _SHOWN],
            [[row[column] for column in _SHOWN] for row in rows],
            expendable=_EXPENDABLE,
        )
    return 0


def row_of(payment: Payment, resolved_by: str | None) -> Row:
    """A payment as its documented columns, in their order; who settled it, where a person did."""
    return {
        "id": payment.id,
        "state": payment.state.value,
        "route": payment.route,
        "caller": payment.caller,
        "purpose": payment.purpose,
        "network": payment.network,
        "amount_usdc": payment.amount.digits,
        "amount_atomic": payment.amount.atomic,
        "pay_to": payment.pay_to,
        "transaction": (payment.proof.transaction or None) if payment.proof else None,
        "reserved_at": _time(payment.reserved_at),
        "settled_at": _time(payment.settled_at),
        "delivered_at": _time(payment.delivered_at),
        "confirmed": payment.confirmed,
        "proof": payment.proof.kind if payment.proof else None,
        "closed_at": _time(payment.closed_at),
        "resolved_by": resolved_by,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else utc(moment)


def _moment(text: str, clock: Clock) -> datetime:
    match = _SINCE.fullmatch(text)
    if match is None:
        raise ConfigError(f"--since: not a duration: {plain(text)}; write it like 30m, 24h or 7d")
    return clock.now() - int(match[1]) * _UNITS[match[2]]


def _csv_cell(value: str | int | bool | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = plain(value)
    # A spreadsheet would run it: sellers choose some of these texts.
    return f"'{text}" if text[0] in "=+-@" else text
