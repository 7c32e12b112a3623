"""What the exit status of a command means."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sidecar.cli import exits
from sidecar.errors import (
    ConfigError,
    LedgerError,
    LocalProtocolError,
    RemoteProtocolError,
    SidecarError,
    UpstreamError,
    UpstreamTimeoutError,
    WalletError,
)
from tests.unit.cli.commands import Command, write_config

READING = ("check", "status", "balance", "payments")


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (ConfigError("a"), 2),
        (RemoteProtocolError("a"), 5),
        (LocalProtocolError("a"), 5),
        (WalletError("a"), 6),
        (UpstreamError("a"), 7),
        (UpstreamTimeoutError("a"), 7),
        (LedgerError("a"), 7),
    ],
)
def test_exit_of(fault: SidecarError, status: int) -> None:
    """Each kind of fault has its status."""
    assert status == exits.exit_of(fault)


def test_documented(sidecar: Command) -> None:
    """--help lists every status with its meaning, and every command."""
    text = sidecar("--help").out

    assert [] == [line for line in exits.described().splitlines() if line not in text]
    assert [0, 2, 3, 4, 5, 6, 7, 8] == sorted(exits.MEANINGS)
    assert [] == [
        command
        for command in [
            "run",
            "check",
            "status",
            "balance",
            "payments",
            "wallet",
            "sandbox",
            "demo",
        ]
        if f"\n    {command} " not in text
    ]


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["fly"],
        ["check", "--confi", "x"],
        ["payments", "--json", "--csv"],
        ["sandbox", "--version", "3"],
        ["wallet", "address", "--config", "a", "--key-file", "b"],
    ],
)
def test_usage(sidecar: Command, argv: list[str]) -> None:
    """Wrong usage is status 2, with the usage on stderr and nothing on stdout."""
    ran = sidecar(*argv)

    assert (2, "", "usage: ") == (ran.status, ran.out, ran.err[:7])


def test_config_that_is_not_there(sidecar: Command, tmp_path: Path) -> None:
    """A config that is not there is named."""
    path = tmp_path / "none.yaml"

    ran = sidecar("run", "--config", path)

    assert (
        2,
        f"{path}: no such file or directory; name a config file that can be read\n",
    ) == (ran.status, ran.err)


def test_balance_needs_a_chain_and_a_wallet(sidecar: Command, tmp_path: Path) -> None:
    """Without a chain there is nobody to ask, and without a wallet nothing to ask for."""
    no_chain = sidecar("balance", "--config", write_config(tmp_path, "chains", to={}))
    keyed = {"provider": "api_key", "upstream": "https://a.example", "api_key": {"env": "KEY"}}
    path = write_config(tmp_path, "routes", to={"keyed": keyed})
    path.write_text(re.sub(r"wallets:\n(  .*\n)+", "", path.read_text()))
    no_wallet = sidecar("balance", "--config", path)

    assert [
        (2, 'chains: none; add one, like "eip155:8453": {rpc: ["https://…"]}\n'),
        (2, "wallets: none; add one whose balance is wanted\n"),
    ] == [(ran.status, ran.err) for ran in (no_chain, no_wallet)]


@pytest.mark.parametrize(
    ("argv", "mistake"),
    [
        (
            ["sandbox", "--listen", "x"],
            "--listen: not an address: 'x'; write it like \"127.0.0.1:8402\"\n",
        ),
        (
            ["sandbox", "--price", "0.01"],
            "--price: not an amount: '0.01'; write it like \"5.00 USDC\"\n",
        ),
        (["sandbox", "--price", "0 USDC"], "--price: a price of zero is no price\n"),
        (
            ["status", "--admin", "x"],
            "--admin: not an address: 'x'; write it like \"127.0.0.1:8402\"\n",
        ),
    ],
)
def test_wrong_flag(sidecar: Command, argv: list[str], mistake: str) -> None:
    """A wrong flag is reported under its name, with the fix."""
    ran = sidecar(*argv)

    assert (2, mistake) == (ran.status, ran.err)
