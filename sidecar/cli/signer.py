"""``sidecar signer``: keep a wallet's key in a process of its own, which signs by its own rules."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from sidecar.signer.process import run


def signer(args: argparse.Namespace) -> int:
    """0 when it ended as asked."""
    return run(Path(args.socket), Path(args.rules), os.environ)
