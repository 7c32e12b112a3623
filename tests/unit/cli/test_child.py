"""A command that is run as a child."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from sidecar.cli.child import Child


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_unwanted(tmp_path: Path, number: signal.Signals) -> None:
    """A command that is called off before it began is not begun."""
    child = Child(1)
    os.kill(os.getpid(), number)
    await asyncio.sleep(0.01)
    status = await child.run(["touch", str(tmp_path / "begun")], os.environ)

    assert (128 + number, False, []) == (status, child.ran, list(tmp_path.iterdir()))


async def test_script_without_a_first_line(tmp_path: Path) -> None:
    """What the system does not know how to run is told: status 126."""
    script = tmp_path / "script"
    script.write_text("echo hello\n")
    script.chmod(0o700)

    assert 126 == await Child(1).run([str(script)], os.environ)
