"""``sidecar pins``: the payees that routes are used to; ``forget`` lets a route's change."""

from __future__ import annotations

import argparse
import os

from sidecar.cli.config_file import read_config
from sidecar.cli.desk import open_desk, require_ledger
from sidecar.cli.screen import plain, utc, write_json, write_table
from sidecar.errors import ConfigError
from sidecar.ledger.model import PayeePin

_COLUMNS = ("route", "purpose", "network", "place", "pay_to", "pinned_at")


def pins(args: argparse.Namespace) -> int:
    """0, also when there are none; ConfigError when a route to forget has none."""
    desk = open_desk(read_config(args), os.environ)
    require_ledger(desk)
    if args.action == "forget":
        found = desk.forget_pins(args.route)
        if not found:
            routes = dict.fromkeys(pin.route for pin in desk.pins())
            raise ConfigError(
                f"pins: route {plain(args.route)} has none; those that have: {plain([*routes])}"
            )
    else:
        found = desk.pins()
    rows = [row_of(pin) for pin in found]
    if args.json:
        write_json(rows)
    else:
        write_table(
            [column.upper() for column in _COLUMNS],
            [[*row.values()] for row in rows],
            expendable=("PINNED_AT", "PURPOSE", "NETWORK"),
        )
    return 0


def row_of(pin: PayeePin) -> dict[str, str]:
    """A pin as its documented columns, in their order."""
    return {
        "route": pin.route,
        "purpose": pin.purpose,
        "network": pin.network,
        "place": pin.place,
        "pay_to": pin.pay_to,
        "pinned_at": utc(pin.pinned_at),
    }
