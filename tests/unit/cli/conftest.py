"""Every command test gets the command."""

from __future__ import annotations

import pytest

from tests.unit.cli.commands import Command


@pytest.fixture
def sidecar(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)
