"""Running a command in this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from sidecar.cli import main
from sidecar.wallets.evm import EvmWallet
from tests.unit.config.configs import changed

KEY = bytes(31) + b"\x07"
ADDRESS = EvmWallet(KEY).address


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Command:
    """``sidecar``, with what it writes."""

    captured: pytest.CaptureFixture[str]

    def __call__(self, *argv: str | Path) -> Ran:
        try:
            status = main([str(word) for word in argv])
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else 1
        written = self.captured.readouterr()
        return Ran(status, written.out, written.err)


def write_private(path: Path, text: str) -> Path:
    """A file that only we can read."""
    path.write_text(text)
    path.chmod(0o600)
    return path


def write_config(folder: Path, *steps: str | int, to: object) -> Path:
    """The base config with one change, in a folder that has its secrets."""
    write_private(folder / "evm.key", f"0x{KEY.hex()}\n")
    write_private(folder / "aider.token", "sk-sidecar-test\n")
    write_private(folder / "openai.key", "sk-openai\n")
    text = changed(*steps, to=to).replace("env: OPENAI_API_KEY", "file: openai.key")
    path = folder / "sidecar.yaml"
    path.write_text(f"state_dir: state\n{text}")
    return path
