"""`sidecar schema`."""

from __future__ import annotations

import json
from pathlib import Path

from sidecar.config.reference import KEYS
from sidecar.config.reference.schema import make_schema
from tests.unit.cli.commands import Command


def test_written(sidecar: Command) -> None:
    """The schema is written to stdout as JSON, wherever one stands, and needs no config."""
    ran = sidecar("schema")

    assert (0, "") == (ran.status, ran.err)
    assert make_schema(KEYS) == json.loads(ran.out)


def test_path(sidecar: Command) -> None:
    """With --path it is said where the same is installed, for an editor's line."""
    path = Path(sidecar("schema", "--path").out.strip())

    assert path.is_absolute()
    assert sidecar("schema").out == path.read_text()
