"""``sidecar freeze``: no payment is signed from now on, whether the sidecar runs or not."""

from __future__ import annotations

import argparse
import os

from sidecar.cli.config_file import read_config
from sidecar.cli.desk import open_desk
from sidecar.clock import SystemClock


def freeze(args: argparse.Namespace) -> int:
    """0, also when it was frozen before."""
    since = open_desk(read_config(args), os.environ).freeze(SystemClock().now())
    print(f"frozen since {since:%Y-%m-%d %H:%M:%S} UTC: no payment is signed; unpaid traffic flows")
    return 0
