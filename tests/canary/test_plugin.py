"""The canary over any suite: a test that prints or leaves a known key fails, by its name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.world.processes import ROOT

LEAKY = """
from pathlib import Path
from tests.world.running import KEY

def test_prints(): print(KEY)
def test_leaves(tmp_path): (tmp_path / "left.log").write_text(KEY.upper())
def test_keeps(tmp_path): (tmp_path / "evm.key").write_text(KEY)
def test_clean(): print("nothing")
"""


def suite(folder: Path, canary: str) -> str:
    """What pytest says of these tests."""
    (folder / "test_leaky.py").write_text(LEAKY)
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider"),
            *("-p", "tests.canary.plugin", "--basetemp", folder / "base", "test_leaky.py"),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SIDECAR_CANARY": canary},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout


def test_finds(tmp_path: Path) -> None:
    """What is printed and what is left in a file is found; a key's own file is let be."""
    said = suite(tmp_path, "all")

    assert "canary: test_leaky.py::test_prints" in said
    assert "canary: test_leaky.py::test_leaves" in said
    assert "left.log" in said
    assert "evm.key" not in said
    assert "canary: test_leaky.py::test_clean" not in said


def test_off(tmp_path: Path) -> None:
    """Without the variable nothing is searched."""
    assert "4 passed" in suite(tmp_path, "")
