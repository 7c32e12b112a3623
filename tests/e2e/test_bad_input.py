"""What is wrong outside the code: a clear message with its path and the fix, and the right exit.

The config's own table of mistakes is in tests/unit/config; this one starts the real process.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.world.running import config_text, write_private

ROOT = Path(__file__).resolve().parents[2]
USAGE, TRANSPORT = 2, 7

Spoil = Callable[[Path], None]


def replace(name: str, old: str, new: str) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return spoil


def write(name: str, text: str, mode: int = 0o600) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(mode)

    return spoil


def link(folder: Path) -> None:
    (folder / "evm.key").rename(folder / "real.key")
    (folder / "evm.key").symlink_to(folder / "real.key")


def truncate(folder: Path) -> None:
    """A ledger that was made, used by nobody, and cut in half."""
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import asyncio, pathlib, sys\n"
            "from sidecar.ledger.sqlite import SqliteLedger\n"
            "async def make():\n"
            "    ledger = await SqliteLedger.open(pathlib.Path(sys.argv[1]), 'maker')\n"
            "    await ledger.close()\n"
            "asyncio.run(make())\n",
            str(folder / "ledger.db"),
        ],
        cwd=ROOT,
        check=True,
    )
    path = folder / "ledger.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


CASES: dict[str, tuple[Spoil, int, tuple[str, ...]]] = {
    "no config": (
        lambda folder: (folder / "sidecar.yaml").unlink(),
        USAGE,
        ("sidecar.yaml",),
    ),
    "not YAML": (write("sidecar.yaml", "a: [b"), USAGE, ("config: not YAML", "line 1")),
    "a key that is none": (
        write("evm.key", "0x1234"),
        USAGE,
        ("wallets.main.key", "64 hexadecimal digits"),
    ),
    "a key that others may read": (
        lambda folder: (folder / "evm.key").chmod(0o644),
        USAGE,
        ("wallets.main.key", "evm.key", "chmod 600"),
    ),
    "a key behind a link": (link, USAGE, ("wallets.main.key", "evm.key")),
    "no key": (
        lambda folder: (folder / "evm.key").unlink(),
        USAGE,
        ("wallets.main.key", "evm.key"),
    ),
    "an empty token": (write("app.token", ""), USAGE, ("callers[0].token", "app.token")),
    "an unknown budget": (
        replace("sidecar.yaml", "budgets: [day]", "budgets: [dya]"),
        USAGE,
        ("routes.seller.budgets", "day"),
    ),
    "a ledger that is none": (
        write("ledger.db", "x" * 5_000),
        TRANSPORT,
        ("ledger.db", "not an SQLite database"),
    ),
    "a ledger that was cut": (truncate, TRANSPORT, ("ledger.db",)),
    "a ledger that is a folder": (
        lambda folder: (folder / "ledger.db").mkdir(),
        TRANSPORT,
        ("ledger.db", "directory"),
    ),
    "a ledger in no folder": (
        replace("sidecar.yaml", "sqlite: ledger.db", "sqlite: evm.key/ledger.db"),
        TRANSPORT,
        ("evm.key/ledger.db",),
    ),
}


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sidecar", "run", "--config", str(folder / "sidecar.yaml")],
        cwd=ROOT,
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_private(tmp_path / "sidecar.yaml", config_text(tmp_path, "http://127.0.0.1:9"))
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_refuses_to_start(folder: Path, case: str) -> None:
    """The sidecar does not start, and says where, what, and how to mend it; no traceback."""
    spoil, status, said = CASES[case]
    spoil(folder)
    ended = start(folder)

    assert (status, "") == (ended.returncode, ended.stdout)
    assert [] == [words for words in said if words not in ended.stderr], ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("key", ["listen", "admin"])
def test_taken_port(folder: Path, key: str) -> None:
    """A port that is taken is named with who holds it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        replace("sidecar.yaml", f"{key}: 127.0.0.1:0", f"{key}: 127.0.0.1:{port}")(folder)
        ended = start(folder)

    assert USAGE == ended.returncode
    assert f"{key}: 127.0.0.1:{port}" in ended.stderr
    assert f"pid {os.getpid()}" in ended.stderr


def test_optimized_python(folder: Path) -> None:
    """Python -O, which drops the assertions that guard the money, is refused."""
    ended = subprocess.run(
        [sys.executable, "-O", "-m", "sidecar", "check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert USAGE == ended.returncode
    assert "-O" in ended.stderr
