"""``sidecar unfreeze``: payments are signed again."""

from __future__ import annotations

import argparse
import os

from sidecar.cli.config_file import read_config
from sidecar.cli.desk import open_desk, require_ledger


def unfreeze(args: argparse.Namespace) -> int:
    """0, also when it was not frozen."""
    desk = open_desk(read_config(args), os.environ)
    require_ledger(desk, then=", so nothing is frozen")
    since = desk.unfreeze()
    if since is None:
        print("it was not frozen")
    else:
        print(f"payments are signed again; it was frozen since {since:%Y-%m-%d %H:%M:%S} UTC")
    return 0
