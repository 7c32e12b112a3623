"""The signer's process: its windows through threads, restarts and kills, and what it keeps in.

SIDECAR_SIGNER_KILLS=50 is how often each kill is made; 2 by default. Signatures are counted in
what comes back.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.clock import SystemClock
from sidecar.errors import WalletError
from sidecar.signer.line import UnixLine
from tests.world.mortal_signer import MOMENTS
from tests.world.signer_orders import ADDRESS, KEY, order, signatures
from tests.world.signer_process import SignerProcess, rules_of, start_signer, write_files

KILLS = int(os.environ.get("SIDECAR_SIGNER_KILLS", "2"))


@pytest.fixture(scope="module")
def evm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignerProcess]:
    """A signer with an EVM key."""
    folder = tmp_path_factory.mktemp("evm")
    with start_signer(folder, KEY.hex(), rules_of(folder)) as signer:
        yield signer


def test_once(tmp_path: Path) -> None:
    """The same authorization is signed again, uncounted; another under its identity never is."""
    rules = rules_of(tmp_path, per_hour={"amount": "0.02 USDC", "payments": 2})
    with start_signer(tmp_path, KEY.hex(), rules) as signer:
        first = order()
        other = order(nonce=first["authorization"]["identity"], value="9999")
        answers = [signer.ask(question) for question in (first, other, first, first, order())]

    said = ["result" if "result" in answer else answer["refused"]["rule"] for answer in answers]
    assert ["result", "identity", "result", "result", "result"] == said
    assert answers[0] == answers[2] == answers[3]
    assert 2 == (tmp_path / "signer.journal").read_bytes().count(b"\n")


def test_small_ones(tmp_path: Path) -> None:
    """Forty small orders at once, from eight, get no more than the window holds, also anew."""
    rules = rules_of(tmp_path, per_hour={"amount": "0.105 USDC", "payments": 100})
    answers: list[dict[str, Any]] = []
    with start_signer(tmp_path, KEY.hex(), rules) as signer:

        def steal() -> None:
            for _ in range(5):
                answers.append(signer.ask(order()))

        thieves = [threading.Thread(target=steal) for _ in range(8)]
        for thief in thieves:
            thief.start()
        for thief in thieves:
            thief.join()
    with start_signer(tmp_path, KEY.hex(), rules) as signer:
        answers += [signer.ask(order()) for _ in range(5)]

    assert 10 == signatures(answers)
    assert {"window"} == {answer["refused"]["rule"] for answer in answers if "refused" in answer}
    assert 45 == len(answers)


def test_count(tmp_path: Path) -> None:
    """Payments are counted as well as money: the fourth one of a millionth finds no place."""
    rules = rules_of(tmp_path, per_day={"amount": "5.00 USDC", "payments": 3})
    with start_signer(tmp_path, KEY.hex(), rules) as signer:
        answers = [signer.ask(order(value="1")) for _ in range(6)]

    assert 3 == signatures(answers)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed(tmp_path: Path, moment: str) -> None:
    """Killed around a write, at one payment after the other, it never signs past its window."""
    cap = {"amount": f"{(2 * KILLS + 1) / 100:.2f} USDC", "payments": 1_000}
    rules = rules_of(tmp_path, per_hour=cap, per_day=cap)
    write_files(tmp_path, KEY.hex(), rules)
    answers: list[dict[str, Any]] = []
    for _ in range(KILLS):
        with SignerProcess(tmp_path, moment, "2") as signer:
            signer.wait_until_open()
            answers += [signer.ask(order()), signer.ask(order())]
            signer.wait()
    killed = len([answer for answer in answers if answer == {}])
    with start_signer(tmp_path, KEY.hex(), rules) as signer:
        answers += [signer.ask(order()) for _ in range(2 * KILLS + 5)]

    assert KILLS == killed
    lines = (tmp_path / "signer.journal").read_bytes().count(b"\n")
    assert 2 * KILLS + 1 == lines
    # What was written down and never answered is counted: it errs to this side only.
    lost = KILLS if moment == "after append" else 0
    assert 2 * KILLS + 1 - lost == signatures(answers)


def test_killed_anywhere(tmp_path: Path) -> None:
    """SIGKILL at any moment under load: what came back signed fits the window, every time."""
    most = 10 * (KILLS + 2)
    cap = {"amount": f"{most / 100:.2f} USDC", "payments": 10_000}
    rules = rules_of(tmp_path, per_hour=cap, per_day=cap)
    write_files(tmp_path, KEY.hex(), rules)
    answers: list[dict[str, Any]] = []
    for round_ in range(KILLS + 1):
        with SignerProcess(tmp_path) as signer:
            signer.wait_until_open()
            timer = threading.Timer(0.002 + 0.004 * round_, signer.kill)
            timer.start()
            try:
                for _ in range(25):
                    answers.append(signer.ask(order()))
            except (FileNotFoundError, ConnectionError):
                pass
            timer.join()
    with start_signer(tmp_path, KEY.hex(), rules) as signer:
        answers += [signer.ask(order()) for _ in range(most + 5)]

    lines = (tmp_path / "signer.journal").read_bytes().count(b"\n")
    assert most == lines
    assert signatures(answers) <= most
    assert "window" == answers[-1]["refused"]["rule"]


def test_wrong_user(tmp_path: Path) -> None:
    """Another user than the one in the rules is hung up on before a byte is read."""
    rules = rules_of(tmp_path, peer_user=os.geteuid() + 1)
    with start_signer(tmp_path, KEY.hex(), rules) as signer:
        assert {} == signer.ask({"method": "address"})
        assert {} == signer.ask(order())
        with pytest.raises(WalletError, match="the signer"):
            signer.wallet()


def test_slow(evm: SignerProcess) -> None:
    """Whoever connects and says nothing loses its turn, and others get theirs."""
    with evm_connection(evm) as idle:
        started = time.monotonic()
        answer = evm.ask({"method": "address"})
        waited_s = time.monotonic() - started
        idle.settimeout(5)

        assert b"" == idle.recv(1)
    assert ADDRESS == answer["result"]["address"]
    assert waited_s < 5


def evm_connection(signer: SignerProcess) -> Any:
    """A connection that says nothing."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(signer.socket_path))
    return connection


def test_nothing_left_over(tmp_path: Path) -> None:
    """A key from a variable is in no argument, environment or output of the process."""
    rules = rules_of(tmp_path, key={"env": "PAYER_KEY"})
    write_files(tmp_path, "", rules)
    env = {**os.environ, "PAYER_KEY": KEY.hex()}
    with SignerProcess(tmp_path, env=env) as signer:
        signer.wait_until_open()
        of_process = Path(f"/proc/{signer.pid}")
        try:
            environment = (of_process / "environ").read_bytes()
        except PermissionError:
            environment = b""

        assert b"" == environment.strip(b"\0")
        assert KEY.hex().encode() not in (of_process / "cmdline").read_bytes()
        assert re.search(r"Max core file size +0 +0 ", (of_process / "limits").read_text())
        assert "NoNewPrivs:\t1" in (of_process / "status").read_text()
        assert 0o600 == signer.socket_path.stat().st_mode & 0o777
        assert 0 == signer.stop()
        assert KEY.hex() not in signer.output()
        assert not signer.socket_path.exists()


def test_no_stack() -> None:
    """The process has no HTTP stack, no ledger, no vendor, and nothing that parses YAML."""
    barred = ("aiohttp", "http.client", "sqlite3", "yaml", "sidecar.ledger", "sidecar.providers")
    code = f"import sidecar.signer.process, sys; print([m for m in {barred} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == run.stdout.strip()


def test_two_signers(tmp_path: Path) -> None:
    """A second signer on the same journal does not start, and the first one goes on."""
    with start_signer(tmp_path, KEY.hex(), rules_of(tmp_path)) as signer:
        second = subprocess.run(
            [
                *(sys.executable, "-m", "sidecar.signer"),
                *("--socket", tmp_path / "other.socket", "--rules", tmp_path / "rules.json"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )

        assert 2 == second.returncode
        assert f"signer: journal: {tmp_path}/signer.journal: another signer has it\n" == (
            second.stderr
        )
        assert ADDRESS == signer.ask({"method": "address"})["result"]["address"]


def test_line_without_signer(tmp_path: Path) -> None:
    """No signer at the socket is a wallet's fault, which the proxy knows how to answer."""
    line = UnixLine(tmp_path / "nobody", SystemClock())

    with pytest.raises(WalletError, match="does not answer: no such file"):
        line.ask({"method": "address"})
