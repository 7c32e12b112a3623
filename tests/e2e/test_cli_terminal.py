"""What commands show on a real terminal: whole ids, colours for states, nothing that steers it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.e2e.shell import ADDRESS, WAIT_S, environment, sandbox, write_config
from tests.unit.cli.rows import write_ledger

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_screen(home: Path, columns: int, *argv: str, **environ: str) -> tuple[int, str]:
    """The status of a command, and all that it wrote to a terminal so wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "sidecar", *argv],
        cwd=home,
        env=environment(home, **{"TERM": "xterm-256color"} | environ),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    try:
        while True:
            try:
                got = os.read(ours, 65536)
            except OSError:
                break
            if not got:
                break
            shown += got
    finally:
        os.close(ours)
    return process.wait(WAIT_S), shown.decode().replace("\r\n", "\n")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a config, and a ledger with two payments."""
    write_config(tmp_path)
    (tmp_path / "state").mkdir(mode=0o700)
    write_ledger(tmp_path / "state" / "ledger.db", "0x" + "2b" * 32)
    return tmp_path


def test_payments(home: Path) -> None:
    """At 80 columns payments have what a person looks for, in lines that fit."""
    status, shown = on_screen(home, 60, "payments")
    text = ESCAPE.sub("", shown)

    assert 0 == status
    assert 60 >= max(len(line) for line in text.splitlines())
    assert "(too narrow for proof, purpose, delivered_at; --json has all)" in " ".join(text.split())
    assert re.search(r"^01-02 04:04:05  pay_2  reserved  seller  aider +0\.01$", text, re.M)


def test_all_columns(home: Path) -> None:
    """On a wide terminal nothing is left out, and money stands to the right."""
    _, shown = on_screen(home, 200, "payments")
    text = ESCAPE.sub("", shown)

    assert "too narrow" not in text
    (row,) = (line for line in text.splitlines() if "pay_1" in line)
    assert ["01-02", "03:04:05", "pay_1", "posted", "seller", "aider", "request", "0.01"] == (
        row.split()[:8]
    )
    header = next(line for line in text.splitlines() if "STATE" in line)
    assert header.rindex("USDC") + len("USDC") == row.index("0.01") + len("0.01")


def test_states_have_colours(home: Path) -> None:
    """What is well is green, what may matter is yellow."""
    _, shown = on_screen(home, 120, "payments")

    assert "\x1b[32mposted" in shown
    assert "\x1b[33mreserved" in shown


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["no-color", "dumb"])
def test_no_colours(home: Path, environ: dict[str, str]) -> None:
    """NO_COLOR and a terminal that cannot do it get letters and nothing else."""
    _, shown = on_screen(home, 120, "payments", **environ)

    assert "posted" in shown
    assert "\x1b" not in shown


def test_hostile_names(home: Path) -> None:
    """What a stranger wrote is shown as letters: no control character, and no markup."""
    path = home / "state" / "ledger.db"
    path.unlink()
    for left in path.parent.glob("ledger.db*"):
        if left.is_file():
            left.unlink()
    write_ledger(path, "0x", "[red]x[/red]\x1b[2J:smile:\u202e")
    _, shown = on_screen(home, 200, "payments")

    assert "[red]x[/red]?[2J:smile:?" in ESCAPE.sub("", shown)
    assert "\x1b[2J" not in shown


def test_whole_ids(home: Path) -> None:
    """An address is never cut, however narrow the terminal is."""
    with sandbox(home) as seller:
        write_config(home, rpc=f"{seller.url}/rpc")
        status, shown = on_screen(home, 40, "balance")

    assert 0 == status
    assert f"main    {ADDRESS}  Base Sepolia  100.00 USDC" in ESCAPE.sub("", shown)


def test_progress(home: Path) -> None:
    """What takes a while says so on a terminal, and takes it away again."""
    with sandbox(home) as seller:
        write_config(home, rpc=f"{seller.url}/rpc")
        _, shown = on_screen(home, 120, "balance")
        _, dumb = on_screen(home, 120, "balance", TERM="dumb")

    assert "asking the chains" in shown
    assert "asking" not in dumb
