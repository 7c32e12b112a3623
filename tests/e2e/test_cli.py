"""The real command, as a shell starts it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from sidecar.wallets.evm import EvmWallet
from tests.unit.cli.rows import write_ledger

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
    upstream: http://127.0.0.1:4020
    wallet: main
    networks: ["eip155:84532"]
    max_payment: "0.05 USDC"
    budgets: [day]
"""


def write_config(folder: Path, name: str = "sidecar.yaml", rpc: str = "http://127.0.0.1:1") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "evm.key"
    key.write_text(f"0x{KEY.hex()}\n")
    key.chmod(0o600)
    path = folder / name
    path.write_text(CONFIG.format(rpc=rpc))
    return path


def environment(home: Path, **more: str) -> dict[str, str]:
    """No variable of whoever runs the tests may change what a command does."""
    return {"PATH": os.environ["PATH"], "HOME": str(home)} | more


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
    process = subprocess.Popen(
        [sys.executable, "-m", "sidecar", "sandbox", "--listen", "127.0.0.1:0", *argv],
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

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert "/status" == self.path
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def on_terminal(home: Path, typed: str, *argv: str | Path) -> tuple[int, str]:
    """Run on a terminal of its own; each line is typed when a prompt has been shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", OWN_TERMINAL, "-m", "sidecar", *map(str, argv)],
        cwd=home,
        env=environment(home),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
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


def test_assertions_are_on(tmp_path: Path) -> None:
    """python -O takes the assertions away, so nothing runs under it."""
    ran = sidecar(tmp_path, "--version", flags=("-O",))

    assert (2, "", "sidecar: assertions guard the money; start Python without -O\n") == (
        ran.returncode,
        ran.stdout,
        ran.stderr,
    )


def test_version(tmp_path: Path) -> None:
    """The installed command and the module are the same."""
    command = subprocess.run(
        [Path(sys.executable).parent / "sidecar", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert command.stdout == sidecar(tmp_path, "--version").stdout


def checked(home: Path, *argv: str | Path, **environ: str) -> str:
    ran = sidecar(home, "check", "--json", *argv, environ=environ)
    path: str = json.loads(ran.stdout)["config"]
    return path


def test_where_the_config_is(tmp_path: Path) -> None:
    """--config wins over $SIDECAR_CONFIG, ./sidecar.yaml and the XDG config folder."""
    write_config(tmp_path / ".config" / "sidecar")

    assert f"{tmp_path}/.config/sidecar/sidecar.yaml" == checked(tmp_path)
    write_config(tmp_path / "xdg" / "sidecar")
    xdg = str(tmp_path / "xdg")
    assert f"{xdg}/sidecar/sidecar.yaml" == checked(tmp_path, XDG_CONFIG_HOME=xdg)
    write_config(tmp_path)
    assert "sidecar.yaml" == checked(tmp_path)
    other = write_config(tmp_path, "other.yaml")
    assert str(other) == checked(tmp_path, SIDECAR_CONFIG=str(other))
    third = write_config(tmp_path, "third.yaml")
    assert str(third) == checked(tmp_path, "--config", third, SIDECAR_CONFIG=str(other))


def test_no_config(tmp_path: Path) -> None:
    """Without a config, the places where it was looked for are named."""
    ran = sidecar(tmp_path, "check")

    assert (
        2,
        f"config: none at sidecar.yaml and {tmp_path}/.config/sidecar/sidecar.yaml; "
        "name one with --config FILE or SIDECAR_CONFIG\n",
    ) == (ran.returncode, ran.stderr)


def test_key_from_the_environment(tmp_path: Path) -> None:
    """EVM_PRIVATE_KEY pays where no wallet is configured, and a variable changes a setting."""
    path = write_config(tmp_path)
    path.write_text(re.sub(r"wallets: .*\n", "", path.read_text()))
    environ = {"EVM_PRIVATE_KEY": KEY.hex(), "SIDECAR_LISTEN": "127.0.0.1:7"}

    summary = json.loads(sidecar(tmp_path, "check", "--json", environ=environ).stdout)

    assert ("127.0.0.1:7", [ADDRESS]) == (
        summary["listen"],
        [wallet["address"] for wallet in summary["wallets"]],
    )


@pytest.mark.parametrize("text", [f"0x{KEY.hex()}\n", KEY.hex()])
def test_import_from_a_pipe(tmp_path: Path, text: str) -> None:
    """A key that is piped in is kept, and only its address comes out."""
    ran = sidecar(tmp_path, "wallet", "import", "--out", "evm.key", given=text)

    assert (0, f"{ADDRESS}\n", "") == (ran.returncode, ran.stdout, ran.stderr)
    assert f"0x{KEY.hex()}\n" == (tmp_path / "evm.key").read_text()


def test_nobody_to_ask(tmp_path: Path) -> None:
    """Without a terminal and a password file, a keystore is not made."""
    ran = sidecar(tmp_path, "wallet", "new", "--keystore", "--out", "k.json")

    assert (2, "password: no terminal to ask on; use --password-file\n") == (
        ran.returncode,
        ran.stderr,
    )
    assert not (tmp_path / "k.json").exists()


def test_typed_key(tmp_path: Path) -> None:
    """A key that is typed does not show on the terminal."""
    status, shown = on_terminal(tmp_path, KEY.hex() + "\n", "wallet", "import", "--out", "evm.key")

    assert (0, f"Private key: \r\n{ADDRESS}\r\n") == (status, shown)


def test_typed_password(tmp_path: Path) -> None:
    """A new password is typed twice, and the keystore opens with it."""
    status, shown = on_terminal(
        tmp_path, "horse\nhorse\n", "wallet", "new", "--keystore", "--out", "k.json"
    )
    address = shown.splitlines()[-1]

    assert (0, f"Password: \r\nThe same again: \r\n{address}\r\n") == (status, shown)
    assert (0, f"Password: \r\n{address}\r\n") == on_terminal(
        tmp_path, "horse\n", "wallet", "address", "--keystore", "--key-file", "k.json"
    )


@pytest.mark.parametrize(
    ("typed", "mistake"),
    [
        ("horse\nhouse\n", "password: the two differ; type them again"),
        ("\n\n", "password: empty; choose one"),
        ("\x04", "password: none was typed; type one or use --password-file"),
    ],
)
def test_wrong_password(tmp_path: Path, typed: str, mistake: str) -> None:
    """Passwords that differ, or that are none, make no keystore."""
    status, shown = on_terminal(tmp_path, typed, "wallet", "new", "--keystore", "--out", "k.json")

    assert (2, mistake) == (status, shown.splitlines()[-1])
    assert not (tmp_path / "k.json").exists()


def test_table_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal the columns are aligned, under a bold header."""
    write_config(tmp_path)

    aligned = f"\x1b[1mWALLET  ADDRESS\x1b[0m\r\nmain    {ADDRESS}\r\n"
    assert (0, aligned) == on_terminal(tmp_path, "", "wallet", "address")


def test_balance(tmp_path: Path) -> None:
    """balance asks the chain, and the sidecar need not run."""
    with sandbox(tmp_path) as seller:
        write_config(tmp_path, rpc=f"{seller.url}/rpc")
        ran = sidecar(tmp_path, "balance", "--json")

    assert (
        0,
        [
            {
                "wallet": "main",
                "address": ADDRESS,
                "network": "eip155:84532",
                "balance_usdc": "100.00",
                "balance_atomic": 100_000_000,
                "error": None,
            }
        ],
    ) == (ran.returncode, json.loads(ran.stdout))


def test_balance_of_another_chain(tmp_path: Path) -> None:
    """An endpoint of another chain is not believed: status 5."""
    with sandbox(tmp_path) as seller:
        path = write_config(tmp_path, rpc=f"{seller.url}/rpc")
        path.write_text(path.read_text().replace("84532", "8453"))
        ran = sidecar(tmp_path, "balance")

    assert (
        5,
        f"WALLET\tADDRESS\tNETWORK\tNAME\tBALANCE\nmain\t{ADDRESS}\teip155:8453\tBase\tunknown\n",
        "sidecar: main on eip155:8453: the endpoint is of another chain\n",
    ) == (ran.returncode, ran.stdout, ran.stderr)


def test_balance_without_a_chain_that_answers(tmp_path: Path) -> None:
    """Where nobody answers, the status is 7, and stderr says who did not."""
    write_config(tmp_path)

    ran = sidecar(tmp_path, "balance", "--json")

    prefix = "sidecar: main on eip155:84532: cannot connect to http://127.0.0.1:1: "
    assert (7, prefix, None) == (
        ran.returncode,
        ran.stderr[: len(prefix)],
        json.loads(ran.stdout)[0]["balance_usdc"],
    )


def test_sandbox(tmp_path: Path) -> None:
    """The sandbox says where it is and what it wants, and SIGTERM ends it with 0."""
    with sandbox(tmp_path, "--price", "0.25 USDC", "--version", "1") as seller:
        port = seller.url.rpartition(":")[2]
        taken = sidecar(tmp_path, "sandbox", "--listen", f"127.0.0.1:{port}")
        seller.process.send_signal(signal.SIGTERM)

        assert 0 == seller.process.wait(WAIT_S)
    assert "0.25 USDC a call, x402 v1" in seller.said
    assert (2, f"--listen: 127.0.0.1:{port}: address already in use; name another address\n") == (
        taken.returncode,
        taken.stderr,
    )


STATUS = {
    "version": "9.9",
    "state": "serving",
    "uptime_s": 5,
    "routes": {"seller": {"upstream": "https://a.example", "networks": ["eip155:8453"]}},
    "budgets": [{"name": "day", "spent": "1.00 USDC"}, {"name": "month\x1b", "resets_at": None}],
    "in_doubt": [],
    "payments": [{"id": "pay_1", "state": "posted", "asset": "0xcc", "amount": "0.01 USDC"}],
}


def test_status(tmp_path: Path) -> None:
    """status shows what the admin port says: plain values first, then tables."""
    with answering(200, json.dumps(STATUS).encode()) as address:
        ran = sidecar(tmp_path, "status", "--admin", address)
        as_json = sidecar(tmp_path, "status", "--json", environ={"SIDECAR_ADMIN": address})

    assert (
        0,
        "version     9.9\nstate       serving\nuptime_s    5\n\n"
        "routes\nNAME\tUPSTREAM\tNETWORKS\nseller\thttps://a.example\teip155:8453\n\n"
        "budgets\nNAME\tSPENT\tRESETS_AT\nday\t1.00 USDC\t-\nmonth?\t-\t-\n\n"
        "payments\nID\tSTATE\tAMOUNT\npay_1\tposted\t0.01 USDC\n",
    ) == (ran.returncode, ran.stdout)
    assert STATUS == json.loads(as_json.stdout)


@pytest.mark.parametrize(
    ("status", "body", "wrong"),
    [
        (404, b"{}", "answered 404; is it a sidecar?"),
        (200, b"<html>", "did not answer with a JSON object; is it a sidecar?"),
        (200, b"[]", "did not answer with a JSON object; is it a sidecar?"),
    ],
)
def test_status_of_something_else(tmp_path: Path, status: int, body: bytes, wrong: str) -> None:
    """Something else on the admin port is not taken for a sidecar: status 5."""
    with answering(status, body) as address:
        ran = sidecar(tmp_path, "status", "--admin", address)

    assert (5, "", f"sidecar: http://{address}/status {wrong}\n") == (
        ran.returncode,
        ran.stdout,
        ran.stderr,
    )


def test_status_without_books(tmp_path: Path) -> None:
    """A sidecar that cannot read its ledger says so, after what it does know: status 7."""
    with answering(503, b'{"state": "serving", "error": "the disk is full"}') as address:
        ran = sidecar(tmp_path, "status", "--admin", address)

    assert (
        7,
        "state       serving\nerror       the disk is full\n",
        f"sidecar: http://{address}/status: the disk is full\n",
    ) == (ran.returncode, ran.stdout, ran.stderr)


def test_status_of_nothing(tmp_path: Path) -> None:
    """When nothing answers, the message says how to start one: status 7."""
    path = write_config(tmp_path)
    path.write_text(path.read_text() + "admin: 0.0.0.0:1\n")

    ran = sidecar(tmp_path, "status")

    assert (
        7,
        "sidecar: no sidecar answers at http://127.0.0.1:1/status; start one with: sidecar run, "
        "or name another with --admin HOST:PORT\n",
    ) == (ran.returncode, ran.stderr)


def test_reader_that_leaves(tmp_path: Path) -> None:
    """A reader that has seen enough ends the command quietly."""
    write_config(tmp_path)
    (tmp_path / "state").mkdir(mode=0o700)
    write_ledger(tmp_path / "state" / "ledger.db", "0x" + "22" * 32)
    reads, writes = os.pipe()
    os.close(reads)
    ran = subprocess.run(
        [sys.executable, "-m", "sidecar", "payments"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=writes,
        stderr=subprocess.PIPE,
        timeout=WAIT_S,
        check=False,
    )
    os.close(writes)

    assert (0, b"") == (ran.returncode, ran.stderr)
