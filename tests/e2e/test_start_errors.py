"""A start that fails: one line with what is wrong and the fix, the right status, no traceback."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.shell import WAIT_S, environment, sidecar
from tests.world.managed import CONFIG, TOKENS
from tests.world.processes import ROOT
from tests.world.running import TOKEN, write_private


def starting(folder: Path, **changes: str) -> Path:
    """A config that would start, but for these."""
    write_private(folder / "api.key", "sk-the-key-of-the-account")
    write_private(folder / "app.token", TOKEN)
    values = {"listen": "127.0.0.1:0", "admin": "0", "upstream": "http://127.0.0.1:9", **changes}
    text = CONFIG.format(folder=folder, callers=TOKENS.format(folder=folder), **values)
    (folder / "sidecar.yaml").write_text(text)
    return folder


def start_error(
    folder: Path, *launcher: str, file_bytes_max: int | None = None, **environ: str
) -> tuple[int, str]:
    """How a start that fails ends, and the one line that it says.

    ``file_bytes_max`` is what the system lets it write into one file: a disk without room.
    """
    run = [sys.executable, "-m", "sidecar", "run", "--config", str(folder / "sidecar.yaml")]
    command = [sys.executable, "-m", "tests.world.handing_over", *launcher, "--", *run]
    ended = subprocess.run(
        command if launcher else run,
        cwd=ROOT,
        env=environment(folder, **environ),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        preexec_fn=partial(limit_files, file_bytes_max),
    )
    assert "" == ended.stdout
    assert 1 == len(ended.stderr.splitlines()), ended.stderr
    return ended.returncode, ended.stderr.strip()


def limit_files(bytes_max: int | None) -> None:
    """Of the process that calls it, and of what it becomes."""
    if bytes_max is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, bytes_max))


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


@pytest.mark.parametrize("key", ["listen", "admin"])
def test_port_taken(tmp_path: Path, taken: int, key: str) -> None:
    """A port that is taken is told in one line, with the process that holds it."""
    address = f"127.0.0.1:{taken}" if key == "listen" else str(taken)
    said = start_error(starting(tmp_path, **{key: address}))
    name = Path(f"/proc/{os.getpid()}/comm").read_text().strip()

    assert (
        2,
        f"{key}: 127.0.0.1:{taken} is taken by pid {os.getpid()} ({name}); "
        "stop what holds it, or choose another address",
    ) == said


def test_address_of_another_machine(tmp_path: Path) -> None:
    """An address that no interface has is told in one line."""
    assert (
        2,
        "listen: 192.0.2.1:8402 is no address of this machine; choose one, such as 127.0.0.1",
    ) == start_error(starting(tmp_path, listen="192.0.2.1:8402"))


def test_name_of_nobody(tmp_path: Path) -> None:
    """A host that cannot be resolved is told in one line, with the resolver's word."""
    status, said = start_error(starting(tmp_path, listen="no-such-host.invalid:8402"))

    assert 2 == status
    assert said.startswith("listen: no-such-host.invalid:8402 cannot be listened on: ")
    assert said.endswith("; choose another address")


def test_state_dir_that_cannot_be(tmp_path: Path) -> None:
    """A state folder that cannot be made is told in one line."""
    state = Path("/proc/self/no-such-folder")

    assert (
        2,
        f"{state}: no such file or directory; name a folder that can be used",
    ) == start_error(starting(tmp_path), SIDECAR_STATE_DIR=str(state))


def test_full_disk(tmp_path: Path) -> None:
    """A disk that takes no more is told in one line, and for the ledger not as a wrong config."""
    folder = starting(tmp_path)
    no_token = start_error(folder, file_bytes_max=0)
    write_private(folder / "state" / "admin.token", TOKEN[::-1])
    no_ledger = start_error(folder, file_bytes_max=4_096)

    assert (
        2,
        f"{folder}/state/admin.token: file too large; make its folder writable",
    ) == no_token
    assert (
        7,
        f"sidecar: ledger {folder}/state/ledger.db: the disk failed (disk I/O error); look at the "
        "disk and its quota",
    ) == no_ledger


@pytest.mark.parametrize(
    ("launcher", "said"),
    [
        (
            ("web", "0"),
            "LISTEN_FDNAMES: there is no 'web'; write FileDescriptorName=data or "
            "FileDescriptorName=admin in the socket's unit",
        ),
        (
            ("-", "0", "0", "0"),
            "LISTEN_FDS: '3' were handed over; hand over one socket for data, and at most one "
            "more, for admin",
        ),
        (
            ("data", "closed"),
            "LISTEN_FDS: descriptor 3 (data) is no socket; hand over a socket",
        ),
        (
            ("data", "datagram"),
            "LISTEN_FDS: descriptor 3 (data) does not listen for connections; write "
            "ListenStream= and Accept=no in the socket's unit",
        ),
    ],
)
def test_wrong_sockets(tmp_path: Path, launcher: tuple[str, ...], said: str) -> None:
    """Sockets that cannot be served on are refused at start, in one line."""
    assert (2, said) == start_error(starting(tmp_path), *launcher)


def test_variable_of_nobody(tmp_path: Path) -> None:
    """A variable that looks like a setting and is none is a note of check, with what was meant."""
    folder = starting(tmp_path)
    ran = sidecar(folder, "check", environ={"SIDECAR_LISTN": "127.0.0.1:1"})
    note = 'note: SIDECAR_LISTN is set and is no setting; did you mean "SIDECAR_LISTEN"?\n'

    assert (0, True) == (ran.returncode, note in ran.stdout)
