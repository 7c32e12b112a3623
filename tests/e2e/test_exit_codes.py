"""Every documented exit status, as a real command ends with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar.cli import exits
from tests.e2e.shell import answering, sidecar, write_config
from tests.e2e.test_cli_doctor import place
from tests.e2e.test_resolve import in_doubt
from tests.unit.cli.rows import write_ledger

# Where nobody listens.
NOBODY = "http://127.0.0.1:9"


def done(home: Path) -> int:
    """A good config."""
    write_config(home)
    return sidecar(home, "check").returncode


def wrong_config(home: Path) -> int:
    """A key that there is none of."""
    path = write_config(home)
    path.write_text(f"lisen: 127.0.0.1:1\n{path.read_text()}")
    return sidecar(home, "check").returncode


def refused(home: Path) -> int:
    """An approval of what does not wait for one."""
    write_config(home)
    (home / "state").mkdir(mode=0o700)
    write_ledger(home / "state" / "ledger.db", "0x12")
    return sidecar(home, "approve", "pay_1").returncode


def no_funds(home: Path) -> int:
    """A wallet that holds nothing, where all else is well."""
    with place(held=0) as url:
        path = write_config(home, rpc=f"{url}/rpc", upstream=url)
        path.write_text(f"listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n{path.read_text()}")
        return sidecar(home, "doctor").returncode


def nonsense(home: Path) -> int:
    """Something else than a sidecar on the admin port."""
    with answering(200, b"it works!") as address:
        url = address.removeprefix("http://")
        return sidecar(home, "status", "--admin", url).returncode


def no_key(home: Path) -> int:
    """A file that holds no key."""
    path = home / "evm.key"
    path.write_text("5e5e\n")
    path.chmod(0o600)
    return sidecar(home, "wallet", "address", "--key-file", path).returncode


def nobody_there(home: Path) -> int:
    """No sidecar at all."""
    return sidecar(home, "status", "--admin", "127.0.0.1:9").returncode


def undecided(home: Path) -> int:
    """A payment whose chain cannot be asked."""
    in_doubt(home, NOBODY)
    return sidecar(home, "resolve", "pay_1", "--voided", "--yes").returncode


@pytest.mark.parametrize(
    ("status", "produce"),
    [
        (exits.OK, done),
        (exits.USAGE, wrong_config),
        (exits.POLICY, refused),
        (exits.FUNDS, no_funds),
        (exits.PROTOCOL, nonsense),
        (exits.SIGNER, no_key),
        (exits.TRANSPORT, nobody_there),
        (exits.IN_DOUBT, undecided),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_produced(tmp_path: Path, status: int, produce: Callable[[Path], int]) -> None:
    """Each status that --help documents is what a real command ends with for this reason."""
    assert status == produce(tmp_path)


def test_all_of_them() -> None:
    """There is no documented status beside these."""
    assert {0, 2, 3, 4, 5, 6, 7, 8} == set(exits.MEANINGS)
