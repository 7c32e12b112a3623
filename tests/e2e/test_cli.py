"""The real command, as a shell starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.shell import (
    ADDRESS,
    KEY,
    WAIT_S,
    answering,
    environment,
    sandbox,
    sidecar,
    write_config,
)
from tests.unit.cli.rows import write_ledger


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
        "name one with --config FILE or SIDECAR_CONFIG, or make one with: sidecar init\n",
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
        "sidecar: no sidecar answers at http://127.0.0.1:1; start one with: sidecar run, or "
        "name another with --admin HOST:PORT\n",
    ) == (ran.returncode, ran.stderr)


def test_reader_that_leaves(tmp_path: Path) -> None:
    """A reader that has seen enough ends the command quietly."""
    write_config(tmp_path)
    (tmp_path / "state").mkdir(mode=0o700)
    write_ledger(tmp_path / "state" / "ledger.db", "0x" + "2b" * 32)
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
