"""Writes config/schema.json, and the keys in the page that is named: config/README.md."""

from __future__ import annotations

import sys
from pathlib import Path

from sidecar.config.reference import KEYS
from sidecar.config.reference.page import replaced
from sidecar.config.reference.schema import schema_text

SCHEMA = Path(__file__).resolve().parents[1] / "schema.json"
PAGE = Path("config/README.md")


def main() -> None:
    """Write both, where they are."""
    SCHEMA.write_text(schema_text(KEYS))
    PAGE.write_text(replaced(PAGE.read_text(), KEYS))
    sys.stdout.write(f"{SCHEMA}\n{PAGE}\n")


if __name__ == "__main__":
    main()
