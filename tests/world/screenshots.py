"""Pictures of the status page: python -m tests.world.screenshots FOLDER

A real ledger, a real view and a real browser; the month behind them is made up, and the same each
time. On the page it is evening, one budget is nearly used, a payment is in doubt and another one
waits for a person.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from aiohttp.test_utils import RawTestServer

from sidecar.clock import SystemEntropy
from sidecar.config.model import Config
from sidecar.config.read import parse_config
from sidecar.ledger.model import Breaker, Budget, Intent, Proof, Purchase
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.metrics import Metrics
from sidecar.money import Usdc
from sidecar.payments.events import BalanceObserved, RequestServed, WalletBalanceObserved
from sidecar.providers.base import Balance
from sidecar.proxy.admin import AdminHandler
from sidecar.proxy.admin_office import ViewOffice
from sidecar.service import open_all
from sidecar.service.recent import Recent
from sidecar.service.view import View
from sidecar.x402.types import Authorization
from tests.world.browser import Window, window
from tests.world.fakes import FakeClock
from tests.world.running import write_private
from tests.world.small_png import shrink

NOW = datetime(2026, 11, 21, 17, 42, 10, tzinfo=UTC)
PICTURES = (
    ("light", (1280, 1560), False),
    ("dark", (1280, 1560), True),
    ("phone", (375, 1560), False),
)
BASE, SOLANA = "eip155:8453", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
CONFIG = """\
version: 1
state_dir: {folder}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
  sol: {{kind: solana, key: {{file: {folder}/solana.key}}}}
chains:
  "eip155:8453": {{rpc: ["https://rpc.example"]}}
budgets:
  - {{name: day, limit: "20.00 USDC", window: 1d}}
  - {{name: aider-day, limit: "5.00 USDC", window: 1d}}
  - {{name: research-hour, limit: "3.00 USDC", window: 1h}}
  - {{name: november, limit: "400.00 USDC", window: 30d}}
callers:
  - {{name: aider, token: {{file: {folder}/aider.token}}, budgets: [aider-day]}}
  - {{name: research, token: {{file: {folder}/research.token}}, budgets: [research-hour]}}
  - {{name: nightly, token: {{file: {folder}/nightly.token}}}}
routes:
  venice:
    provider: venice
    upstream: https://api.venice.ai/api
    wallet: main
    default: true
    networks: ["eip155:8453"]
    max_payment: "10.00 USDC"
    budgets: [day, november]
    top_up: {{amount: "5.00 USDC", low_water: "2.00 USDC"}}
  search:
    provider: pay_per_request
    upstream: https://search.example
    wallet: main
    networks: ["eip155:8453"]
    max_payment: "0.10 USDC"
    budgets: [day, november]
  solana-rpc:
    provider: pay_per_request
    upstream: https://rpc-seller.example
    wallet: sol
    networks: ["{solana}"]
    max_payment: "0.05 USDC"
    budgets: [day, november]
  reports:
    provider: pay_per_request
    upstream: https://reports.example
    wallet: main
    networks: ["eip155:8453"]
    max_payment: "5.00 USDC"
    budgets: [day, november]
    approval: {{above: "1.00 USDC", wait_s: 600}}
"""
PAYEES = {
    "venice": "0x2670B922ef37C7Df47158725C0CC407b5382293F",
    "search": "0x7a3fB9b0c1D2E3f4A5b6C7d8E9f0a1B2c3D4e5F6",
    "solana-rpc": "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin",
    "reports": "0x1f98407aaB862CdDeF78Ed252D6f557aA5b0f00d",
}
# Who asks for what, how much it costs in atomic units, and how often in an hour.
HABITS = (
    ("search", "research", (38_000, 95_000), 5.0),
    ("search", "aider", (22_000, 60_000), 3.0),
    ("solana-rpc", "nightly", (14_000, 29_000), 6.0),
    ("reports", "research", (280_000, 520_000), 0.35),
    ("venice", "nightly", (1_000_000, 1_000_000), 0.22),
)
# When people work, hour by hour in UTC.
_SHAPE = (
    "0.3 0.3 0.9 1.0 0.4 0.2 0.3 0.6 1.1 1.6 1.9 1.7 "
    "1.1 1.5 2.0 1.9 1.6 1.3 0.8 0.6 0.5 0.6 0.5 0.4"
)
DAY_SHAPE = [float(share) for share in _SHAPE.split()]


@dataclass
class Books:
    """A ledger that is filled with a month."""

    config: Config
    ledger: SqliteLedger
    dice: Random
    made: int = 0

    def intent(self, route: str, caller: str, units: int, purpose: str = "request") -> Intent:
        self.made += 1
        name = f"{self.dice.getrandbits(64):016x}"
        own = self.config.callers[caller].budgets if purpose == "request" else ()
        network = SOLANA if route == "solana-rpc" else BASE
        return Intent(
            id=name,
            purchase=Purchase(name, explicit=False),
            route=route,
            caller=caller,
            purpose=purpose,
            scheme="exact",
            network=network,
            asset="usdc",
            pay_to=PAYEES[route],
            amount=Usdc(units),
            envelope={},
            # What bounds it is not shown here: all of it is within its limits.
            budgets=tuple(
                Budget(each.name, Usdc(10**12), each.window)
                for each in (*self.config.routes[route].budgets, *own)
            ),
            breaker=Breaker(10**6, timedelta(hours=1)),
        )

    async def pay(self, wanted: Intent, at: datetime, end: str = "delivered") -> None:
        """A payment, from its beginning to how it ended, or how far it has come."""
        ledger = self.ledger
        await ledger.reserve(wanted, at)
        signed = Authorization(wanted.network, wanted.id, at + timedelta(seconds=120), {})
        await ledger.authorize(wanted.id, signed, at)
        if end == "in_doubt":
            return
        if end == "voided":
            await ledger.void(wanted.id, Proof("expired"), at + timedelta(seconds=300))
            return
        transaction = f"0x{self.dice.getrandbits(256):064x}"
        await ledger.post(wanted.id, Proof("receipt", transaction), at + timedelta(seconds=1))
        if end == "undelivered":
            await ledger.give_up(wanted.id, at + timedelta(seconds=4))
        else:
            await ledger.deliver(wanted.id, at + timedelta(seconds=3))


async def fill(books: Books) -> None:
    """A month of payments, the last of them a moment ago."""
    dice, payments = books.dice, []
    start = NOW.replace(minute=0, second=0)
    for hours_ago in range(24 * 29 + 18):
        hour = start - timedelta(hours=hours_ago)
        often = DAY_SHAPE[hour.hour] * (0.5 if hour.weekday() >= 5 and hours_ago > 24 else 1)
        for route, caller, (low, high), rate in HABITS:
            count = int(rate * often + dice.random())
            # Of days that are gone nobody sees the payments: one stands for all of an hour.
            scale = 1
            if hours_ago >= 24 and count:
                count, scale = 1, count
            for _ in range(count):
                at = hour + timedelta(seconds=dice.randrange(3_600))
                if at < NOW - timedelta(seconds=600):
                    payments.append((at, route, caller, dice.randint(low, high) * scale))
    for at, route, caller, units in sorted(payments):
        end = "undelivered" if dice.random() < 0.004 else "delivered"
        purpose = "top_up" if route == "venice" else "request"
        await books.pay(books.intent(route, caller, units, purpose), at, end)
    for seconds_ago, route, caller, units, end in (
        (540, "search", "aider", 52_000, "voided"),
        (372, "search", "research", 61_000, "undelivered"),
        (244, "search", "research", 78_000, "in_doubt"),
        (151, "search", "aider", 31_000, "delivered"),
        (93, "solana-rpc", "nightly", 21_300, "delivered"),
        (31, "solana-rpc", "nightly", 16_500, "delivered"),
    ):
        at = NOW - timedelta(seconds=seconds_ago)
        await books.pay(books.intent(route, caller, units), at, end)
    asked = books.intent("reports", "research", 1_450_000)
    until = NOW + timedelta(minutes=7, seconds=12)
    await books.ledger.reserve(replace(asked, ask_until=until), NOW - timedelta(seconds=22))


# When in seconds before now, and the request; then what the app got and why.
REFUSALS = (
    (22, ("search", "research", "POST", "/search/v1/query"), (402, "denied", "budget"),
     'budget "research-hour" has no room for 1.87 USDC: 1.02 USDC spent and 0.078 USDC reserved '
     "of 3.00 USDC; it starts again at 2026-11-21 18:00:00 UTC"),
    (244, ("search", "research", "POST", "/search/v1/query"), (503, "in_doubt", ""),
     "payment of 0.078 USDC is in doubt (no answer within 30 s); repeat the same call: it presents "
     "the same payment, never a second one"),
    (901, ("", "", "GET", "/v1/models"), (401, "refused", "token"),
     "this sidecar wants its own token as the API key; the token file is named at start and by "
     "`sidecar check`"),
    (2_460, ("search", "aider", "POST", "/search/v1/query"), (402, "denied", "payee_changed"),
     "route search pays 0x7a3f…e5F6 since 2026-10-30, and is asked to pay 0x9cB2…77aE; if that is "
     "right: sidecar pins forget search"),
    (5_130, ("reports", "research", "POST", "/reports/v1"), (402, "denied", "approval_refused"),
     "a person refused this payment of 2.10 USDC"),
    (9_800, ("solana-rpc", "nightly", "POST", "/solana-rpc"), (502, "failed", ""),
     "rpc-seller.example closed the connection before it answered"),
)  # fmt: skip


def observe(recent: Recent, clock: FakeClock) -> None:
    """What was seen in the last hours."""
    for ago_s, (route, caller, method, path), (status, decision, rule), detail in REFUSALS[::-1]:
        clock.set_wall(NOW - timedelta(seconds=ago_s))
        recent.observe(
            RequestServed(
                f"{ago_s * 7_919:012x}", route, caller, method, path, status, 0.1, 0.1,
                decision, rule=rule, detail=detail,
            )
        )  # fmt: skip
    for wallet, network, units, ago_s in (
        ("main", BASE, 41_380_000, 22),
        ("sol", SOLANA, 6_920_000, 21),
    ):
        at = NOW - timedelta(seconds=ago_s)
        recent.observe(WalletBalanceObserved(wallet, network, Usdc(units), at))
    for hours_ago, left in ((9.0, "9.10"), (6.0, "7.05"), (3.0, "5.80"), (0.005, "3.42")):
        balance = Balance(Decimal(left), "usd", can_consume=True)
        at = NOW - timedelta(hours=hours_ago)
        recent.observe(BalanceObserved("venice", PAYEES["reports"], balance, at))
    clock.set_wall(NOW)


@asynccontextmanager
async def page(folder: Path) -> AsyncIterator[str]:
    """The address of the status page of a sidecar that has seen a month."""
    for name in ("aider", "research", "nightly"):
        write_private(folder / f"{name}.token", f"sk-sidecar-a-token-of-{name}-for-pictures")
    write_private(folder / "evm.key", "0x" + "11" * 32)
    write_private(folder / "solana.key", "22" * 32)
    config = parse_config(CONFIG.format(folder=folder, solana=SOLANA), {}, {}, folder)
    opened = open_all(config, {}, SystemEntropy())
    clock = FakeClock(NOW - timedelta(days=3, hours=5))
    recent = Recent(clock.now)
    ledger = await SqliteLedger.open(folder / "ledger.db", "pictures")
    await fill(Books(config, ledger, Random(402)))
    view = View(config, opened, ledger, Metrics((), ()), clock, lambda: False, recent)
    observe(recent, clock)
    server = RawTestServer(
        AdminHandler(ViewOffice(view), lambda: frozenset({f"127.0.0.1:{server.port}"}), "t")
    )
    await server.start_server()
    try:
        yield f"http://127.0.0.1:{server.port}/"
    finally:
        recent.end()
        await server.close()
        await ledger.close()


async def picture(seen: Window, url: str, path: Path) -> None:
    """The page from its top, as it looks once it shows its state."""
    await seen.page.goto(url)
    await seen.until_text("#payments", "search")
    png = await seen.page.screenshot(animations="disabled")
    path.write_bytes(shrink(png))


async def main(folder: Path) -> None:
    """Write the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as state:
        async with page(Path(state)) as url:
            for name, size, dark in PICTURES:
                async with window(size=size, dark=dark) as seen:
                    await picture(seen, url, folder / f"status-{name}.png")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
