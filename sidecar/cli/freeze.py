"""``sidecar freeze``: no payment is signed from now on, whether the sidecar runs or not."""

from __future__ import annotations

import argparse

from sidecar.cli.config_file import read_config
from sidecar.clock import SystemClock
from sidecar.ledger import sqlite_desk


def freeze(args: argparse.Namespace) -> int:
    """0, also when it was frozen before."""
    since = sqlite_desk.freeze(read_config(args).ledger_path, SystemClock().now())
    print(f"frozen since {since:%Y-%m-%d %H:%M:%S} UTC: no payment is signed; unpaid traffic flows")
    return 0
