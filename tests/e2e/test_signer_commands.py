"""The commands of a sidecar with a signer, and that no byte of the key is in its memory.

The key is looked for in all that the process can write to; a sidecar with a key file, in which it
is found, is the control.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.world.processes import Process, free_port, wait_until
from tests.world.sidecar_process import SidecarProcess
from tests.world.signer_process import rules_of, write_files

SIDECAR = (sys.executable, "-m", "sidecar")
CALL: dict[str, Any] = {"model": "sandbox-small", "messages": [{"role": "user", "content": "hi"}]}


class ReadableSidecar(SidecarProcess):
    """A sidecar in whose memory we may look."""

    def _command(self, name: str) -> list[str | Path]:
        assert name == "run"
        return [sys.executable, "-m", "tests.world.readable_sidecar", "--config", self.config]


def memory_of(pid: int) -> bytes:
    """All that a process of ours can write to in its memory."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, *_ = line.split()
            start, end = (int(word, 16) for word in place.split("-"))
            if rights.startswith("rw"):
                try:
                    memory.seek(start)
                    found.append(memory.read(end - start))
                except OSError:
                    continue
    return b"".join(found)


@pytest.mark.parametrize("signed", [True, False], ids=["signer", "control"])
def test_no_key_in_memory(tmp_path: Path, signed: bool) -> None:
    """A sidecar with a signer pays and has no byte of the key; one with a key file has it."""
    port = free_port()
    listen = ("--listen", f"127.0.0.1:{port}")
    home = tmp_path / "signer"
    home.mkdir(mode=0o700)
    with Process([*SIDECAR, "sandbox", *listen], tmp_path / "sandbox.log") as seller:
        seller.wait_for_port(port)
        url = f"http://127.0.0.1:{port}"
        place = ReadableSidecar(tmp_path, url, f"{url}/rpc")
        file = tmp_path / "evm.key"
        key = file.read_text()
        rules = rules_of(home, networks=["eip155:84532"], pay_to="anyone")
        write_files(home, key, rules)
        path = home / "signer.socket"
        files = ("--socket", path, "--rules", home / "rules.json")
        with Process([*SIDECAR, "signer", *files], tmp_path / "signer.log"):
            wait_until(path.exists, "the signer listens")
            if signed:
                file.unlink()
                text = place.config.read_text().replace(f"file: {file}", f"signer: {path}")
                place.config.write_text(text)
            with place, place.client() as client:
                client.chat.completions.create(**CALL)
                memory = memory_of(place.process._popen.pid)
            checked, balance = (
                subprocess.run(
                    [*SIDECAR, command, "--config", place.config],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                for command in ("check", "balance")
            )

    assert int(signed) == (home / "signer.journal").read_bytes().count(b"\n")
    raw = bytes.fromhex(key.removeprefix("0x"))
    assert signed == (raw not in memory and raw.hex().encode() not in memory)
    assert place.payer.encode() in memory
    for command in (checked, balance):
        assert 0 == command.returncode, command.stderr
        assert place.payer in command.stdout


def test_not_there(tmp_path: Path) -> None:
    """A sidecar whose signer is not there does not start, and says what to do."""
    place = SidecarProcess(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:1")
    path = tmp_path / "nobody"
    text = place.config.read_text().replace(f"file: {tmp_path / 'evm.key'}", f"signer: {path}")
    place.config.write_text(text)
    for command in (("run",), ("check",), ("balance",), ("wallet", "address")):
        ran = subprocess.run(
            [*SIDECAR, *command, "--config", place.config],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        assert (2, "") == (ran.returncode, ran.stdout)
        assert (
            f"wallets.main.key: the signer at {path} does not answer: no such file or directory; "
            f"start it (sidecar signer --socket {path} --rules FILE), or name its socket (line 7)\n"
        ) == ran.stderr
