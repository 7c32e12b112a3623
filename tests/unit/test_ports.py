"""The ports that tests give to the programs that they start."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.world import processes

TAKE_ONE = "from tests.world.processes import free_port; print(free_port(), flush=True); input()"


def test_no_port_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that a process of any tests was given is nobody else's until that process ends."""
    with subprocess.Popen(
        [sys.executable, "-c", TAKE_ONE],
        cwd=processes.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        monkeypatch.setattr(processes, "PORTS", range(port, port + 1))
        with pytest.raises(RuntimeError, match="no free port"):
            processes.free_port()
        other.kill()

    assert port == processes.free_port()
    with pytest.raises(RuntimeError, match="no free port"):
        processes.free_port()
