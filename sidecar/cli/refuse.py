"""``sidecar refuse``: payments that wait for a person are not made."""

from __future__ import annotations

import argparse

from sidecar.cli.approve import decide


def refuse(args: argparse.Namespace) -> int:
    """0 when each was waiting; else 3, and the others are decided all the same."""
    return decide(args, approve=False)
