"""``sidecar status --watch``: what changes, as it changes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.shell import WAIT_S, environment, own_terminal, serving, sidecar

STATUS = {"state": "serving", "uptime_s": 1, "now": "2026-01-01T00:00:00+00:00"}
DAY = {
    "name": "day",
    "limit": "1.00 USDC",
    "spent": "0.50 USDC",
    "reserved": "0.25 USDC",
    "remaining": "0.25 USDC",
    "resets_at": None,
}
REFUSAL = {"at": "2026-01-01T00:00:00+00:00", "route": "seller", "rule": "budget\x1b[2J"}


class Told:
    """An admin port that says each of these in turn, and then the last one."""

    def __init__(self, *answers: tuple[int, dict[str, object]]) -> None:
        self._answers = list(answers)

    def __call__(self, path: str, _: bytes) -> tuple[int, bytes]:
        assert "/status" == path
        first = self._answers[0]
        if len(self._answers) > 1:
            self._answers.pop(0)
        return first[0], json.dumps(first[1]).encode()


@contextmanager
def watching(home: Path, address: str, *flags: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "sidecar", "status", "--watch", "--admin", address, *flags],
        cwd=home,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=WAIT_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_lines(tmp_path: Path, number: signal.Signals) -> None:
    """With --json each change is one line; what only grows older is none; Ctrl-C ends it: 130."""
    older = {**STATUS, "uptime_s": 2, "now": "2026-01-01T00:00:01+00:00"}
    told = Told((200, STATUS), (200, older), (200, {**older, "frozen": "now"}), (404, {}))
    with serving(told) as address, watching(tmp_path, address, "--json") as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(number)
        rest, err = process.communicate(timeout=WAIT_S)

    away = {"error": f"http://{address}/status answered 404; is it a sidecar?"}
    assert [STATUS, {**older, "frozen": "now"}, away] == lines
    assert (130, "", "") == (process.returncode, rest, err)


def test_tables(tmp_path: Path) -> None:
    """Off a terminal the tables are written again for each change."""
    told = Told((200, STATUS), (200, {**STATUS, "budgets": [DAY]}))
    with serving(told) as address, watching(tmp_path, address) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(10)]

    assert [
        "state       serving\n",
        "uptime_s    1\n",
        "\n",
        "state       serving\n",
        "uptime_s    1\n",
        "\n",
        "budgets\n",
        "NAME\tLIMIT\tSPENT\tRESERVED\tREMAINING\tRESETS_AT\n",
        "day\t1.00 USDC\t0.50 USDC\t0.25 USDC\t0.25 USDC\t-\n",
        "\n",
    ] == lines


def test_nobody(tmp_path: Path) -> None:
    """Where nothing answers at first, it ends as `sidecar status` does: status 7."""
    ran = sidecar(tmp_path, "status", "--watch", "--admin", "127.0.0.1:1")

    assert 7 == ran.returncode
    assert ran.stderr.startswith("sidecar: no sidecar answers at http://127.0.0.1:1")


def test_screen(tmp_path: Path) -> None:
    """On a terminal it is one screen, which Ctrl-C gives back, and nothing in it steers it."""
    answer = {**STATUS, "budgets": [DAY], "refusals": [REFUSAL], "payments": []}
    with serving(Told((200, answer))) as address:
        env = environment(tmp_path, SIDECAR_ADMIN=address, TERM="xterm", COLUMNS="100")
        process, ours = own_terminal(tmp_path, env, "status", "--watch")
        shown = ""
        typed = False
        try:
            while True:
                try:
                    shown += os.read(ours, 4096).decode()
                except OSError:
                    break
                if not typed and "Ctrl-C ends this" in shown:
                    os.write(ours, b"\x03")
                    typed = True
        finally:
            os.close(ours)

        assert 130 == process.wait(WAIT_S)
    assert "sidecar  state serving" in shown
    assert "0.25 USDC left of 1.00 USDC" in shown
    assert "budget?[2J" in shown
    enter, leave = "\x1b[?1049h", "\x1b[?1049l"
    assert (1, 1) == (shown.count(enter), shown.count(leave))
    assert "Traceback" not in shown
