"""The signer in its own process, and the bytes that go to its socket."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

from sidecar.clock import SystemClock
from sidecar.signer.line import UnixLine
from sidecar.wallets.remote import RemoteWallet, remote_wallet
from tests.world.processes import Process, wait_until

ANSWER_WAIT_S = 10.0


def rules_of(folder: Path, **changed: object) -> dict[str, Any]:
    """Rules for an EVM key in ``folder/key``; None takes a word out."""
    rules: dict[str, Any] = {
        "kind": "evm",
        "key": {"file": str(folder / "key")},
        "journal": str(folder / "signer.journal"),
        "networks": ["eip155:8453"],
        "max_payment": "0.10 USDC",
        "pay_to": ["0x2670B922ef37C7Df47158725C0CC407b5382293F"],
        "per_hour": {"amount": "1.00 USDC", "payments": 100},
        "per_day": {"amount": "5.00 USDC", "payments": 1000},
        **changed,
    }
    return {name: value for name, value in rules.items() if value is not None}


def write_files(folder: Path, key: str, rules: dict[str, Any]) -> None:
    """The key and the rules, for nobody else to read."""
    folder.chmod(0o700)
    for name, text in (("key", key), ("rules.json", json.dumps(rules))):
        path = folder / name
        path.write_text(text)
        path.chmod(0o600)


class SignerProcess(Process):
    """A signer that runs on ``folder``'s key and rules; it can be started there again."""

    def __init__(self, folder: Path, *mortality: str, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.socket_path = folder / "signer.socket"
        module = ("tests.world.mortal_signer", *mortality) if mortality else ("sidecar.signer",)
        files = ("--socket", self.socket_path, "--rules", folder / "rules.json")
        super().__init__([sys.executable, "-m", *module, *files], folder / "signer.log", env)
        self.pid = self._popen.pid

    def wait_until_open(self) -> None:
        """Come back once it answers. AssertionError has its output if it never does."""

        def answers() -> bool:
            assert self.exit_code is None, f"the signer ended:\n{self.output()}"
            with socket.socket(socket.AF_UNIX) as probe:
                return probe.connect_ex(str(self.socket_path)) == 0

        wait_until(answers, "the signer answers")

    def wallet(self, **rpc_urls: str) -> RemoteWallet:
        """The proxy's end."""
        return remote_wallet(UnixLine(self.socket_path, SystemClock()), rpc_urls)

    def send(self, data: bytes) -> bytes:
        """What comes back for these bytes, whatever they are; empty: it hung up."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_WAIT_S)
            connection.connect(str(self.socket_path))
            answer = b""
            try:
                connection.sendall(data)
                while more := connection.recv(65536):
                    answer += more
            except (BrokenPipeError, ConnectionResetError):
                pass
            return answer

    def ask(self, question: object) -> dict[str, Any]:
        """The answer to a document in a proper frame; empty: it hung up."""
        data = json.dumps(question).encode()
        answer = self.send(len(data).to_bytes(4, "big") + data)
        said: dict[str, Any] = json.loads(answer[4:]) if answer else {}
        return said


def start_signer(folder: Path, key: str, rules: dict[str, Any]) -> SignerProcess:
    """A signer that answers."""
    write_files(folder, key, rules)
    signer = SignerProcess(folder)
    signer.wait_until_open()
    return signer
