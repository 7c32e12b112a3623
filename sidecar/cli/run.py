"""``sidecar run``: serve until told to stop."""

from __future__ import annotations

import argparse
import os

from sidecar.cli.config_file import read_config
from sidecar.service import run as serve


def run(args: argparse.Namespace) -> int:
    """0 when it ended as asked."""
    return serve(read_config(args), os.environ)
