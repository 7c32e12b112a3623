"""Every command on a ledger in Postgres, beside a real sidecar; and the move there from a file.

The server asks for a password. It is looked for in all that was ever written: by commands, in the
log of the sidecar, and in what a child of it was given.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sidecar.ledger.model import Breaker, Budget, Intent, Purchase, Window
from sidecar.ledger.postgres import PostgresLedger
from sidecar.money import Usdc
from sidecar.x402.types import Authorization
from tests.e2e.shell import environment, sandbox, sidecar
from tests.world.postgres import PASSWORD, PASSWORD_ROLE, PostgresServer, database_of
from tests.world.processes import Process, free_port, wait_until
from tests.world.running import KEY, TOKEN, write_private

VARIABLE = "SIDECAR_LEDGER_URL"
IN_FILE = "{sqlite: ledger.db}"
IN_POSTGRES = f"{{postgres: {{env: {VARIABLE}, lease_s: 1}}}}"
CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin_port}
state_dir: state
ledger: {ledger}
recovery: {{interval_s: 1}}
wallets:
  main: {{kind: evm, key: {{file: evm.key}}}}
chains:
  "eip155:84532": {{rpc: ["{seller}/rpc"]}}
budgets:
  - {{name: all, limit: "0.03 USDC", window: total}}
callers:
  - {{name: app, token: {{file: app.token}}}}
routes:
  seller:
    provider: pay_per_request
    upstream: {seller}
    wallet: main
    default: true
    networks: ["eip155:84532"]
    max_payment: "0.10 USDC"
    budgets: [all]
"""
CALL = """\
import os, urllib.request
url, token = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]
asked = urllib.request.Request(url + "/paid", b"{}", {"Authorization": "Bearer " + token})
urllib.request.urlopen(asked).read()
print(*os.environ)
print(*os.environ.values())
"""


@dataclass
class Home:
    """A folder with a config, and all that was written by what ran there."""

    folder: Path
    seller: str
    url: str
    port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    written: list[str] = field(default_factory=list)

    def use(self, ledger: str) -> None:
        write_private(self.folder / "evm.key", KEY)
        write_private(self.folder / "app.token", TOKEN)
        text = CONFIG.format(
            port=self.port, admin_port=self.admin_port, ledger=ledger, seller=self.seller
        )
        (self.folder / "sidecar.yaml").write_text(text)

    def run(self, *words: str | Path, status: int = 0) -> str:
        """What the command wrote to stdout."""
        ran = sidecar(self.folder, *words, environ={VARIABLE: self.url})
        self.written += (ran.stdout, ran.stderr)
        assert status == ran.returncode, (words, ran.stdout, ran.stderr)
        return ran.stdout

    def told(self, *words: str | Path, status: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", status=status))

    @contextmanager
    def running(self) -> Iterator[None]:
        log = self.folder / f"log-{len(self.written)}"
        command = [sys.executable, "-m", "sidecar", "run", "--log-level", "debug"]
        process = Process(
            ["env", "-C", str(self.folder), *command],
            log,
            environment(self.folder, **{VARIABLE: self.url}),
        )
        try:
            process.wait_for_port(self.port)
            # It listens there next.
            process.wait_for_port(self.admin_port)
            wait_until(self._is_ready, "the sidecar is ready")
            yield
        finally:
            process.stop()
            self.written.append(log.read_text())

    def _is_ready(self) -> bool:
        return self.ask(f"http://127.0.0.1:{self.admin_port}/readyz")[0] == 200

    def call(self, number: int, key: str = "") -> tuple[int, str]:
        """One call of an app: the status, and the payment's id."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        if key:
            headers["Idempotency-Key"] = key
        url = f"http://127.0.0.1:{self.port}/v1/paid"
        return self.ask(url, json.dumps({"n": number}).encode(), headers)

    def ask(
        self, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        asked = urllib.request.Request(url, body, headers or {})
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                answer.read()
                return answer.status, answer.headers.get("x-sidecar-payment-id", "")
        except urllib.error.HTTPError as refused:
            with refused:
                self.written.append(refused.read().decode())
                return refused.code, refused.headers.get("x-sidecar-payment-id", "")

    def moved(self) -> int:
        """What left the wallet, as its chain has it; the books say the same."""
        (wallet,) = self.told("reconcile")["wallets"]
        assert (wallet["moved_atomic"], [], []) == (
            wallet["posted_atomic"],
            wallet["foreign"],
            wallet["missing"],
        )
        return int(wallet["moved_atomic"])

    def require_no_password(self) -> None:
        everything = "\n".join(self.written)
        assert TOKEN not in everything
        for form in (PASSWORD, quote(PASSWORD), PASSWORD.encode().hex()):
            assert form not in everything


@pytest.fixture
def home(tmp_path: Path, postgres: PostgresServer, database: str) -> Iterator[Home]:
    """A seller, a chain, and a database whose user has a password."""
    name = database_of(database)
    postgres.execute(f"GRANT ALL ON DATABASE {name} TO {PASSWORD_ROLE}")
    url = f"postgresql://{PASSWORD_ROLE}:{quote(PASSWORD)}@127.0.0.1:{postgres.port}/{name}"
    (tmp_path / "seller").mkdir()
    with sandbox(tmp_path / "seller") as seller:
        yield Home(tmp_path, seller.url, url)


def checks(home: Home) -> dict[str, tuple[str, str]]:
    """What the doctor says of the ledger."""
    rows = home.told("doctor")["checks"]
    return {row["check"]: (row["state"], row["detail"]) for row in rows}


def test_commands(home: Home) -> None:
    """A sidecar on Postgres pays, and every command about its books works on them."""
    home.use(IN_POSTGRES)
    place = home.told("check")["ledger"]
    none = (home.run("migrate"), home.run("migrate"))
    with home.running():
        paid = home.call(1)
        shown = home.told("status")
        (row,) = home.told("payments")
        beside = checks(home)
        (pin,) = home.told("pins")
        (budget,) = home.told("quote", "/v1/paid", "-X", "POST")["budgets"]
        frozen = home.run("freeze")
        refused = home.call(2)
        why = home.told("explain")
        home.run("unfreeze")
        life = home.told("explain", paid[1])
        home.run("resolve", paid[1], "--posted", "--yes", status=3)
        home.run("pins", "forget", "seller")
        again = home.call(3)
    assert "127.0.0.1" in place
    assert [f"ledger {place}: version 0 -> 1\n", f"ledger {place}: up to date, version 1\n"] == [
        *none
    ]
    assert (200, 402, 200) == (paid[0], refused[0], again[0])
    assert ("live", paid[1]) == (shown["mode"], row["id"])
    assert (paid[1], "posted") == (shown["payments"][0]["id"], row["state"])
    assert ("ok", "1 sidecars have it open") == beside["ledger users"]
    assert ("ok", f"{place} opens, and can be written") == beside["ledger"]
    assert {"ok"} == {beside[name][0] for name in ("ledger server", "ledger clock")}
    assert ("seller", 10_000) == (pin["route"], budget["spent_atomic"])
    assert frozen.startswith("frozen since ")
    assert ("frozen", "posted") == (why["rule"]["rule"], life["payment"]["state"])
    assert ["reserved", "authorized", "posted"] == [each["event"] for each in life["history"][:3]]
    assert 20_000 == home.moved()
    home.require_no_password()


async def test_a_persons_word(home: Home) -> None:
    """What is in doubt on a chain that nobody asks is settled by hand, and it says by whom."""
    home.use(IN_POSTGRES)
    ledger = await PostgresLedger.open(home.url, "gone")
    now, asset = datetime.now(UTC), "0x" + "cc" * 20
    intent = Intent(
        *("pay_1", Purchase("one", explicit=False), "seller", "app", "request", "exact"),
        *("eip155:8453", asset, "0x" + "bb" * 20, Usdc(10_000), {}),
        (Budget("all", Usdc(30_000), Window.TOTAL),),
        Breaker(5, timedelta(hours=1)),
    )
    await ledger.reserve(intent, now)
    fields = {"from": "0x" + "aa" * 20, "nonce": "0x01"}
    await ledger.authorize("pay_1", Authorization("eip155:8453", "0x01", now, fields), now)
    home.run("resolve", "pay_1", "--posted", "--yes", status=8)  # held
    await ledger.close()
    settled = home.told("resolve", "pay_1", "--posted", "--yes")
    (row,) = home.told("payments")
    life = home.told("explain", "pay_1")["history"][-1]

    assert ("posted", settled["resolved_by"]) == (settled["state"], row["resolved_by"])
    assert settled["resolved_by"] in life["sentence"]
    home.require_no_password()


def test_run_command(home: Home) -> None:
    """`run -- CMD` on Postgres tells what it cost, and CMD is not given the URL."""
    home.use(IN_POSTGRES)
    receipt = home.folder / "receipt.json"
    command = (sys.executable, "-c", CALL)
    out = home.run("run", "--budget", "0.01 USDC", "--receipt", receipt, "--", *command)

    assert 1 == len(json.loads(receipt.read_text())["payments"])
    assert VARIABLE not in out
    assert 10_000 == home.moved()
    home.require_no_password()


def test_copy(home: Home) -> None:
    """After the move paying goes on with what is left of the budget, and a retry binds."""
    home.use(IN_FILE)
    with home.running():
        first, named = home.call(1), home.call(2, key="named")
        busy = home.folder / "state" / "ledger.db"
        home.run("ledger", "copy", busy, f"env:{VARIABLE}", status=7)
    copied = home.told("ledger", "copy", busy, f"env:{VARIABLE}")
    home.run("ledger", "copy", busy, f"env:{VARIABLE}", status=7)
    home.use(IN_POSTGRES)
    with home.running():
        bound = home.call(2, key="named")
        third, fourth = home.call(3), home.call(4)
    rows = home.told("payments")

    assert (200, 200) == (first[0], named[0])
    assert {"payments": 2, "pins": 1} == {
        table: copied["rows"][table] for table in ("payments", "pins")
    }
    assert {"posted": 20_000} == copied["amounts_atomic"]
    # This seller serves an authorization once: the same payment, and no second.
    assert (502, named[1]) == bound
    assert (200, 402) == (third[0], fourth[0])
    assert [third[1], named[1], first[1]] == [row["id"] for row in rows]
    assert 30_000 == home.moved()
    home.require_no_password()


def test_typed_url(home: Home) -> None:
    """A URL that is typed where its place belongs is refused, and is not repeated."""
    home.run("ledger", "copy", "ledger.db", home.url, status=2)
    home.run("ledger", "copy", "ledger.db", f"env:{VARIABLE}", status=7)
    home.require_no_password()


def test_wrong_password(home: Home) -> None:
    """Who is not let in is told by whom, and the password is not repeated."""
    secret = "Hunter-2-canary"
    home.url = home.url.replace(quote(PASSWORD), secret)
    home.use(IN_POSTGRES)
    home.run("payments", status=7)
    home.run("run", status=7)
    home.run("doctor", "--json", status=7)

    assert "127.0.0.1" in home.written[1]
    assert secret not in "\n".join(home.written)


def test_only_migrate(home: Home) -> None:
    """With migrate: false a start makes no tables; it says what does, and serves after that."""
    home.use(IN_POSTGRES.replace("}}", ", migrate: false}}"))
    home.run("run", status=7)
    told = home.written[-1]
    home.run("migrate")
    with home.running():
        paid = home.call(1)

    assert "run `sidecar migrate`" in told
    assert 200 == paid[0]


def test_shadow(home: Home) -> None:
    """What is rehearsed is booked in a schema of its own; the books of live payments have none."""
    home.use(f"{IN_POSTGRES}\nmode: shadow")
    with home.running():
        rehearsed = home.call(1)
        (row,) = home.told("payments")
    home.use(IN_POSTGRES)
    home.run("payments", status=7)
    home.run("migrate")

    assert (402, "rehearsed") == (rehearsed[0], row["proof"])
    assert [] == home.told("payments")
    assert 0 == home.moved()
