"""The real command as a shell starts it, and what it talks to."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from sidecar.wallets.evm import EvmWallet
from tests.world.processes import ROOT
from tests.world.switches import SWITCHES

KEY = bytes(31) + b"\x07"
ADDRESS = EvmWallet(KEY).address
WAIT_S = 60

# Makes stdin the terminal of this session, and becomes the command.
OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""

CONFIG = """\
version: 1
state_dir: state
wallets: {{main: {{kind: evm, key: {{file: evm.key}}}}}}
chains: {{"eip155:84532": {{rpc: ["{rpc}"]}}}}
budgets: [{{name: day, limit: "1.00 USDC", window: 1d}}]
routes:
  seller:
    provider: pay_per_request
    upstream: {upstream}
    wallet: main
    networks: ["eip155:84532"]
    max_payment: "0.05 USDC"
    budgets: [day]
"""


def write_config(
    folder: Path,
    name: str = "sidecar.yaml",
    rpc: str = "http://127.0.0.1:1",
    upstream: str = "http://127.0.0.1:4020",
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "evm.key"
    key.write_text(f"0x{KEY.hex()}\n")
    key.chmod(0o600)
    path = folder / name
    path.write_text(CONFIG.format(rpc=rpc, upstream=upstream))
    return path


def environment(home: Path, **more: str) -> dict[str, str]:
    """No variable of whoever runs the tests may change what a command does.

    The command is the one beside these tests, wherever they have been copied to.
    """
    own = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT)}
    return own | SWITCHES | more


def sidecar(
    home: Path,
    *argv: str | Path,
    environ: Mapping[str, str] | None = None,
    given: str = "",
    flags: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, "-m", "sidecar", *map(str, argv)],
        cwd=home,
        env=environment(home, **(environ or {})),
        input=given,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        # Without a terminal, so that nothing waits for a person.
        start_new_session=True,
    )


@dataclass(frozen=True, slots=True)
class Seller:
    """A running ``sidecar sandbox``."""

    process: subprocess.Popen[str]
    url: str
    said: str


@contextmanager
def sandbox(home: Path, *argv: str) -> Iterator[Seller]:
    command = [sys.executable, "-m", "sidecar", "sandbox", "--listen", "127.0.0.1:0", *argv]
    process = subprocess.Popen(
        # Deaf to SIGINT, as a shell starts its background jobs.
        ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *command],
        cwd=home,
        env=environment(home),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = "".join(iter(process.stdout.readline, "\n"))
        found = re.search(r"http://\S+", said)
        assert found is not None
        yield Seller(process, found[0], said)
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_S)


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Something on an admin port."""

    def answer(path: str, _: bytes) -> tuple[int, bytes]:
        assert "/status" == path
        return status, body

    with serving(answer) as address:
        yield address


@contextmanager
def serving(answer: Callable[[str, bytes], tuple[int, bytes]]) -> Iterator[str]:
    """A server on loopback, and its address: path and body in, status and body out."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"] or 0))
            status, body = answer(self.path, asked)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with handling(Handler) as address:
        yield address


@contextmanager
def handling(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on loopback whose requests this one handles, and its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def own_terminal(
    folder: Path, env: Mapping[str, str], *argv: str | Path
) -> tuple[subprocess.Popen[bytes], int]:
    """The sidecar on a terminal of its own, and where that is read and typed at."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", OWN_TERMINAL, "-m", "sidecar", *map(str, argv)],
        cwd=folder,
        env=env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    return process, ours


def on_terminal(home: Path, typed: str, *argv: str | Path) -> tuple[int, str]:
    """Run on a terminal of its own; each line is typed when a prompt has been shown."""
    process, ours = own_terminal(home, environment(home), *argv)
    shown = ""
    lines = typed.splitlines(keepends=True)
    try:
        while True:
            try:
                got = os.read(ours, 4096).decode()
            except OSError:
                break
            shown += got
            if lines and shown.endswith(": "):
                os.write(ours, lines.pop(0).encode())
    finally:
        os.close(ours)
    return process.wait(WAIT_S), shown
