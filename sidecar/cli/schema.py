"""``sidecar schema``: the JSON Schema of the config, for editors."""

from __future__ import annotations

import argparse
import sys
from importlib.resources import files


def schema(args: argparse.Namespace) -> int:
    """0: it is on stdout, or with ``--path`` its path in this installation."""
    place = files("sidecar.config") / "schema.json"
    sys.stdout.write(f"{place}\n" if args.path else place.read_text())
    return 0
