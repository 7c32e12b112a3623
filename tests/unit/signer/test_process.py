"""The signer's command, where it ends before it serves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.world.signer_orders import KEY
from tests.world.signer_process import rules_of, write_files


def ended(folder: Path) -> tuple[int, str]:
    """How a signer on this folder's files ends, and what it says."""
    files = ("--socket", folder / "signer.socket", "--rules", folder / "rules.json")
    run = subprocess.run(
        [sys.executable, "-m", "sidecar.signer", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert KEY.hex() not in run.stdout + run.stderr
    return run.returncode, run.stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"networks": ["eip155:666"]}, "signer: networks: 'eip155:666' is none of ours"),
        ({"key": {"env": "NOBODY_HAS_THIS"}}, "signer: the key's variable: empty"),
        ({"journal": "/dev/null"}, "signer: journal: /dev/null: "),
    ],
)
def test_mistakes(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    """A signer that cannot start says why in a line, ends with 2, and opens no socket."""
    write_files(tmp_path, KEY.hex(), rules_of(tmp_path, **changed))
    status, output = ended(tmp_path)

    assert 2 == status
    assert said in output
    assert 1 == output.count("\n")
    assert not (tmp_path / "signer.socket").exists()


def test_optimized(tmp_path: Path) -> None:
    """Without assertions it does not start."""
    run = subprocess.run(
        [sys.executable, "-O", "-m", "sidecar.signer", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (2, "signer: assertions guard the money; start Python without -O\n") == (
        run.returncode,
        run.stderr,
    )


def test_rules_of_all(tmp_path: Path) -> None:
    """Rules that others may change are no rules."""
    write_files(tmp_path, KEY.hex(), rules_of(tmp_path))
    (tmp_path / "rules.json").chmod(0o666)
    status, output = ended(tmp_path)

    assert 2 == status
    assert "rules.json: other users may read or change it" in output
