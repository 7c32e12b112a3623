"""``sidecar approvals``: the payments that wait for a person."""

from __future__ import annotations

import argparse
import os

from sidecar.cli.config_file import read_config
from sidecar.cli.desk import open_desk
from sidecar.cli.screen import utc, write_json, write_table
from sidecar.ledger.model import Asked

_COLUMNS = ("payment", "amount", "pay_to", "network", "route", "caller", "purpose", "until")


def approvals(args: argparse.Namespace) -> int:
    """0, also when there are none."""
    desk = open_desk(read_config(args), os.environ)
    rows = [row_of(asked) for asked in desk.asked()] if desk.exists() else []
    if args.json:
        write_json(rows)
    else:
        write_table(
            [column.upper() for column in _COLUMNS],
            [[*row.values()] for row in rows],
            expendable=("PURPOSE", "CALLER", "NETWORK", "PAY_TO"),
        )
    return 0


def row_of(asked: Asked) -> dict[str, str]:
    """A payment that waits, as its documented columns, in their order."""
    payment = asked.payment
    return {
        "payment": payment.id,
        "amount": str(payment.amount),
        "pay_to": payment.pay_to,
        "network": payment.network,
        "route": payment.route,
        "caller": payment.caller,
        "purpose": payment.purpose,
        "until": utc(asked.until, "seconds"),
    }
