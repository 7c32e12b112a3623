"""``sidecar health``: what a container's health check runs every few seconds."""

from __future__ import annotations

import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.e2e.shell import environment, serving, sidecar, write_config

MODULES = "import sys\nfrom sidecar.cli import main\nmain()\nprint(*sys.modules, file=sys.stderr)\n"
HEAVY = {"aiohttp", "yaml", "asyncio", "prometheus_client", "sidecar.config.read", "rich"}


def answering(status: int) -> AbstractContextManager[str]:
    """An admin port that answers its one question so."""

    def answer(path: str, _: bytes) -> tuple[int, bytes]:
        assert "/livez" == path
        return status, b"ok"

    return serving(answer)


@pytest.mark.parametrize("where", ["flag", "variable", "config"])
def test_healthy(tmp_path: Path, where: str) -> None:
    """Where something answers, the status is 0 and nothing is said; wherever the address stands."""
    with answering(200) as address:
        flags = ["--admin", address] if where == "flag" else []
        environ = {"SIDECAR_ADMIN": address} if where == "variable" else {}
        if where == "config":
            config = write_config(tmp_path)
            config.write_text(f"admin: {address}\n{config.read_text()}")
            flags = ["--config", str(config)]
        ran = sidecar(tmp_path, "health", *flags, environ=environ)

    assert (0, "", "") == (ran.returncode, ran.stdout, ran.stderr)


def test_everywhere(tmp_path: Path) -> None:
    """An address that means every one is asked here."""
    with answering(200) as address:
        port = address.rpartition(":")[2]
        ran = sidecar(tmp_path, "health", environ={"SIDECAR_ADMIN": f"0.0.0.0:{port}"})

    assert (0, "") == (ran.returncode, ran.stderr)


def test_something_else(tmp_path: Path) -> None:
    """Another answer than 200 is none: the status is 7, and stderr says what came."""
    with answering(403) as address:
        ran = sidecar(tmp_path, "health", "--admin", address)

    assert (7, f"sidecar: http://{address}/livez answered 403\n") == (ran.returncode, ran.stderr)


def test_nobody(tmp_path: Path) -> None:
    """Where nobody answers, the status is 7, and stderr says where."""
    with answering(200) as address:
        pass
    ran = sidecar(tmp_path, "health", "--admin", address)

    assert (7, f"sidecar: no sidecar answers at http://{address}/livez\n") == (
        ran.returncode,
        ran.stderr,
    )


def test_no_address(tmp_path: Path) -> None:
    """What is no address is a mistake of the one who asks: status 2."""
    ran = sidecar(tmp_path, "health", "--admin", "here")

    assert 2 == ran.returncode
    assert ran.stderr.startswith("--admin: not an address: 'here'")


def test_light(tmp_path: Path) -> None:
    """It loads nothing that takes long: an engine asks often, within the container's limits."""
    with answering(200) as address:
        done = subprocess.run(
            [sys.executable, "-c", MODULES, "health"],
            cwd=Path(__file__).parents[2],
            env=environment(tmp_path, SIDECAR_ADMIN=address),
            capture_output=True,
            text=True,
            check=True,
        )

    assert set() == HEAVY & set(done.stderr.split())
