"""The signer's door and the line to it: who is answered, and that every fault has a name."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from sidecar.clock import SystemClock
from sidecar.errors import ConfigError, SignerAwayError, WalletError
from sidecar.peer import peer_of
from sidecar.signer.door import BACKLOG, open_door
from sidecar.signer.frame import BYTES_MAX, framed
from sidecar.signer.line import UnixLine, wallet_at
from tests.world.fakes import FakeClock

ADDRESS = {"method": "address"}


def blocking(line: UnixLine) -> Any:
    """The answer, waited for."""
    return line.ask(ADDRESS)


def awaited(line: UnixLine) -> Any:
    """The answer, awaited."""
    return asyncio.run(line.answer(ADDRESS))


WAYS = (blocking, awaited)


@contextmanager
def saying(path: Path, speak: Callable[[socket.socket], None]) -> Iterator[UnixLine]:
    """A line to somebody who says this to the first who asks, and hangs up."""
    with open_door(path, peer_is_other=False) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                speak(connection)

        thread = threading.Thread(target=answer)
        thread.start()
        yield UnixLine(path, SystemClock(), 0.3)
        thread.join()


def test_answer(tmp_path: Path) -> None:
    """A result is given on as it is, however its bytes arrive."""

    def in_pieces(connection: socket.socket) -> None:
        for byte in framed(b'{"result": {"a": [1]}}'):
            connection.sendall(bytes([byte]))

    for asked in WAYS:
        with saying(tmp_path / "s", in_pieces) as line:
            assert {"a": [1]} == asked(line)


FAULTS: dict[str, tuple[bytes, str]] = {
    "a refusal": (
        framed(b'{"refused": {"rule": "pay_to", "detail": "not\\nthis one"}}'),
        r"the signer refuses \(pay_to: not this one\)",
    ),
    "a journal": (
        framed(b'{"refused": {"rule": "journal", "detail": "the disk is full"}}'),
        "does not answer: the disk is full",
    ),
    "silence": (b"", "does not answer: a frame that ends before its end"),
    "half an answer": (framed(b'{"result": 1}')[:-1], "ends before its end"),
    "too much": ((BYTES_MAX + 1).to_bytes(4, "big"), "a frame of 65537 bytes"),
    "nothing in it": (bytes(4), "a frame of 0 bytes"),
    "not JSON": (framed(b"{"), "not JSON"),
    "neither": (framed(b'{"refused": "no"}'), "neither a result nor a refusal"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(tmp_path: Path, name: str) -> None:
    """Whatever else comes back is a wallet's fault that says what it was."""
    data, said = FAULTS[name]
    for asked in WAYS:
        with saying(tmp_path / "s", lambda connection: connection.sendall(data)) as line:
            with pytest.raises(WalletError, match=said):
                asked(line)


def test_hangs(tmp_path: Path) -> None:
    """A signer that does not answer is given up on at the limit, also one that drips."""
    done = threading.Event()

    def drip(connection: socket.socket) -> None:
        try:
            while not done.wait(0.05):
                connection.sendall(b"\0")
        except BrokenPipeError:
            pass

    def wait(_: socket.socket) -> None:
        done.wait()

    for speak, asked in product((wait, drip), WAYS):
        done.clear()
        with saying(tmp_path / "s", speak) as line:
            with pytest.raises(WalletError, match="the signer"):
                asked(line)
            done.set()


def test_silent_once(tmp_path: Path) -> None:
    """Who was silent is not waited for again for a while, and then is asked anew."""
    clock = FakeClock()
    line = UnixLine(tmp_path / "s", clock)
    with open_door(tmp_path / "s", peer_is_other=False):
        with pytest.raises(SignerAwayError, match="it took too long"):
            line.ask(ADDRESS)
        with pytest.raises(SignerAwayError, match="it was silent a moment ago"):
            line.ask(ADDRESS)
        clock.advance(5)
        with pytest.raises(SignerAwayError, match="it took too long"):
            line.ask(ADDRESS)


def test_in_turn(tmp_path: Path) -> None:
    """Of more that ask at once than may wait at the door, each gets its own answer."""
    most = 2 * BACKLOG

    def serve_all(listener: socket.socket) -> None:
        for _ in range(most):
            connection, _ = listener.accept()
            with connection:
                number = json.loads(connection.recv(65536)[4:])["number"]
                connection.sendall(framed(b'{"result": %d}' % number))

    async def ask_all(line: UnixLine) -> list[Any]:
        return await asyncio.gather(*(line.answer({"number": number}) for number in range(most)))

    with open_door(tmp_path / "s", peer_is_other=False) as listener:
        # Who does not come must not be waited for until the tests are killed.
        listener.settimeout(10)
        thread = threading.Thread(target=serve_all, args=(listener,))
        thread.start()
        answers = asyncio.run(ask_all(UnixLine(tmp_path / "s", SystemClock())))
        thread.join()

    assert list(range(most)) == answers


def test_too_much_to_ask(tmp_path: Path) -> None:
    """A question beyond the signer's limit is not sent."""
    with pytest.raises(WalletError, match="more than a signer reads"):
        UnixLine(tmp_path / "s", SystemClock()).ask({"method": "x" * BYTES_MAX})


def test_wallet_at(tmp_path: Path) -> None:
    """A signer that is not there, or keeps another kind of key, is told with place and fix."""
    path = tmp_path / "s"

    def found() -> object:
        return wallet_at(path, "wallets.main.key", "evm", {}, SystemClock())

    with pytest.raises(ConfigError) as caught:
        found()
    assert (
        f"wallets.main.key: the signer at {path} does not answer: no such file or directory; "
        f"start it (sidecar signer --socket {path} --rules FILE), or name its socket",
    ) == caught.value.mistakes

    address = "8qUL23aSj7mDWdoLMXGHFvnVCT9wd7jXcysiekroADEL"
    said = {"result": {"kind": "solana", "address": address}}
    with saying(path, lambda connection: connection.sendall(framed(json.dumps(said).encode()))):
        with pytest.raises(ConfigError) as caught:
            found()

    assert (
        f"wallets.main.key: the signer at {path} keeps a key of kind solana; write kind: solana",
    ) == caught.value.mistakes


def test_mode(tmp_path: Path) -> None:
    """The socket is ours alone, unless another user is to ask: then the kernel's word decides."""
    for peer_is_other, mode in ((False, 0o600), (True, 0o666)):
        with open_door(tmp_path / "s", peer_is_other=peer_is_other):
            assert mode == (tmp_path / "s").stat().st_mode & 0o777


def test_left_behind(tmp_path: Path) -> None:
    """A socket that a killed signer left is replaced; one that somebody listens on is not."""
    open_door(tmp_path / "s", peer_is_other=False).close()
    with open_door(tmp_path / "s", peer_is_other=False):
        with pytest.raises(ConfigError, match="a signer listens there already"):
            open_door(tmp_path / "s", peer_is_other=False)


def test_places(tmp_path: Path) -> None:
    """A file in the way, a folder for all, or a path that is too long is refused."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="something else is there"):
        open_door(tmp_path / "file", peer_is_other=False)
    with pytest.raises(ConfigError, match="too long"):
        open_door(tmp_path / ("s" * 120), peer_is_other=False)
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(ConfigError, match="other users may write"):
        open_door(shared / "s", peer_is_other=False)
    assert (tmp_path / "file").exists()


def test_peer_user() -> None:
    """The kernel says who is at the other end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert os.geteuid() == peer_of(ours).user


def test_hardening() -> None:
    """A hardened process leaves no core, is not dumpable, and gets no privileges by exec."""
    code = (
        "import ctypes, resource\n"
        "from sidecar.signer.hardening import harden\n"
        "harden()\n"
        "libc = ctypes.CDLL(None)\n"
        "print(libc.prctl(3), libc.prctl(39, 0, 0, 0, 0), resource.getrlimit(4))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "0 1 (0, 0)" == run.stdout.strip()
