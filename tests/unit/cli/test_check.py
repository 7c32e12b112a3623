"""`sidecar check`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.commands import ADDRESS, KEY, Command, write_config, write_private


def test_summary(sidecar: Command, tmp_path: Path) -> None:
    """A good config is summed up with its wallets' addresses, and nothing is made."""
    path = write_config(tmp_path, "callers", to=[])
    before = sorted(tmp_path.iterdir())

    ran = sidecar("check", "--config", path)

    assert (0, "") == (ran.status, ran.err)
    assert f"main\tevm\t{ADDRESS}\n" in ran.out
    assert "day\t5.00 USDC\t1d\n" in ran.out
    seller = "seller\tno\tpay_per_request\thttps://api.example.com\tmain\teip155:8453"
    assert f"{seller}\t0.05 USDC\tday\t-\n" in ran.out
    assert before == sorted(tmp_path.iterdir())


def test_json(sidecar: Command, tmp_path: Path) -> None:
    """With --json the summary is JSON."""
    path = write_config(tmp_path, "auth", to="none")

    summary = json.loads(sidecar("check", "--config", path, "--json").out)

    assert {
        "valid": True,
        "config": str(path),
        "listen": "127.0.0.1:8402",
        "admin": "127.0.0.1:9402",
        "auth": "none",
        "state_dir": str(tmp_path / "state"),
        "ledger": str(tmp_path / "state" / "ledger.db"),
        "wallets": [{"name": "main", "kind": "evm", "address": ADDRESS}],
        "chains": [{"network": "eip155:8453", "rpc_urls": 1, "finality": "finalized"}],
        "budgets": [{"name": "day", "limit": "5.00 USDC", "window": "1d"}],
        "callers": [{"name": "aider", "budgets": ["day"]}],
        "routes": [
            {
                "name": "seller",
                "default": False,
                "provider": "pay_per_request",
                "upstream": "https://api.example.com",
                "wallet": "main",
                "networks": ["eip155:8453"],
                "max_payment": "0.05 USDC",
                "budgets": ["day"],
                "pay_to": [],
            },
            {
                "name": "keyed",
                "default": False,
                "provider": "api_key",
                "upstream": "https://api.openai.com",
                "wallet": None,
                "networks": [],
                "max_payment": None,
                "budgets": [],
                "pay_to": [],
            },
        ],
        "notes": [
            "auth is none: whoever reaches the listen port can spend",
            "no route is the default: apps have to use /NAME/... paths",
        ],
    } == summary


def test_no_chain(sidecar: Command, tmp_path: Path) -> None:
    """A network without an RPC endpoint is pointed out."""
    path = write_config(tmp_path, "chains", to={})

    assert (
        "note: no RPC endpoint for eip155:8453: a payment in doubt there stays counted until its "
        "budget's window ends\n"
    ) in sidecar("check", "--config", path).out


def test_mistakes(sidecar: Command, tmp_path: Path) -> None:
    """Every mistake is a line on stderr, and the status is 2."""
    path = write_config(tmp_path, "routes", "seller", "max_payment", to=0.05)

    ran = sidecar("check", "--config", path, "--listen", "8402")

    assert (
        2,
        "",
        "--listen: not an address: '8402'; write it like \"127.0.0.1:8402\", port 0 to 65535\n"
        "routes.seller.max_payment: an amount has its unit, and 0.05 has none; "
        'write it like "5.00 USDC" (line 29)\n',
    ) == (ran.status, ran.out, ran.err)


def test_mistakes_in_json(sidecar: Command, tmp_path: Path) -> None:
    """With --json the mistakes are on stdout, too."""
    path = write_config(tmp_path, "version", to=2)

    ran = sidecar("check", "--config", path, "--json")

    mistake = "version: not a version that this program reads; write version: 1 (line 2)"
    assert (2, {"valid": False, "mistakes": [mistake]}, f"{mistake}\n") == (
        ran.status,
        json.loads(ran.out),
        ran.err,
    )


def test_secrets_that_cannot_be_had(sidecar: Command, tmp_path: Path) -> None:
    """Every secret is opened, and every one that cannot be had is named; none is shown."""
    path = write_config(tmp_path, "hosts", to=[])
    write_private(tmp_path / "evm.key", KEY.hex()[:-1])
    (tmp_path / "aider.token").chmod(0o644)
    (tmp_path / "openai.key").unlink()

    ran = sidecar("check", "--config", path)

    assert (
        2,
        "wallets.main.key: not a private key: it must be 64 hexadecimal digits, 0x before or not; "
        "keep a private key there (line 7)\n"
        f"callers[0].token: {tmp_path}/aider.token: other users may read or change it "
        f"(mode 0644); chmod 600 {tmp_path}/aider.token (line 19)\n"
        f"routes.keyed.api_key: {tmp_path}/openai.key: there is no such file; "
        "make it, or name the right one (line 36)\n",
    ) == (ran.status, ran.err)


def test_flags_win(sidecar: Command, tmp_path: Path) -> None:
    """Flags change what the file says."""
    path = write_config(tmp_path, "listen", to="127.0.0.1:1")

    ran = sidecar("check", "--json", "--config", path, "--listen", "127.0.0.1:7", "--auth", "none")

    summary = json.loads(ran.out)
    assert ("127.0.0.1:7", "none") == (summary["listen"], summary["auth"])


def test_unix_socket(sidecar: Command, tmp_path: Path) -> None:
    """A Unix socket is shown as it is written, and its callers with their users."""
    path = write_config(tmp_path, "callers", to=[{"name": "app", "uid": 1000}])

    ran = sidecar("check", "--json", "--config", path, "--listen", "unix:/run/x402/sidecar.sock")

    summary = json.loads(ran.out)
    assert "unix:/run/x402/sidecar.sock" == summary["listen"]
    assert [{"name": "app", "budgets": [], "uid": 1000}] == summary["callers"]


TWENTY = """\
version: 2
lisen: 127.0.0.1:8402
admin: 127.0.0.1
auth: tokens
state_dir: 5
wallets:
  main: {kind: evn, key: {file: evm.key}}
  spare: {kind: evm, key: {file: missing.key}}
  open: {kind: evm, key: {file: open.key}}
  broken: {kind: evm, key: {file: broken.key}}
chains:
  base: {rpc: ["https://rpc.example.com"]}
budgets:
  - {name: day, limit: 5.00, window: 1d}
  - {name: week, limit: "5.00 USDC", window: 7d}
callers:
  - {name: one, token: {file: same.token}, budgets: [dya]}
  - {name: two, token: {file: same.token}}
routes:
  seller:
    provider: pay-per-request
    upstream: http://api.example.com
    wallet: man
    networks: [8453]
    max_payment: "0 USDC"
    budgets: []
  keyed:
    provider: api_key
    upstream: https://api.openai.com/v1?key=1
    api_key: {env: NO_SUCH_VARIABLE_ANYWHERE}
limits:
  connections_max: 0
log: {level: loud}
"""


def test_twenty_mistakes(sidecar: Command, tmp_path: Path) -> None:
    """One run says every mistake, of the config and of its secrets, by line, with path and fix."""
    write_private(tmp_path / "evm.key", KEY.hex())
    write_private(tmp_path / "open.key", KEY.hex()).chmod(0o644)
    write_private(tmp_path / "broken.key", "5e5e")
    write_private(tmp_path / "same.token", "sk-sidecar-test")
    path = tmp_path / "sidecar.yaml"
    path.write_text(TWENTY)

    ran = sidecar("check", "--config", path)
    said = ran.err.splitlines()
    lines = [int(line.rpartition("(line ")[2].rstrip(")")) for line in said]
    fixes = [line for line in said if "; " not in line.partition(": ")[2]]

    assert (2, "") == (ran.status, ran.out)
    assert [
        *(1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 14, 15, 17, 18),
        *(21, 22, 23, 24, 25, 29, 30, 32, 33),
    ] == sorted(set(lines))
    assert lines == sorted(lines)
    assert [] == fixes
    assert 'lisen: unknown key; did you mean "listen"? (line 2)' in said
    assert f"wallets.open.key: {tmp_path}/open.key: other users may read or change it" in ran.err
    assert "callers[1].token: caller one has the same one; give each its own (line 18)" in said
