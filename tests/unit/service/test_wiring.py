"""What the config says about paying reaches the money path."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from sidecar.clock import SystemEntropy
from sidecar.config.read import parse_config
from sidecar.http import HttpRequest
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.payments.order import PayingRoute
from sidecar.proxy.pool import Pool
from sidecar.service.ports import Ports
from sidecar.service.secrets import open_all
from sidecar.service.wiring import Wiring
from sidecar.tasks import Supervisor
from sidecar.wallets.evm import parse_private_key
from sidecar.wallets.nonces import NonceSecret
from tests.world.running import KEY, write_private

CONFIG = """\
version: 1
state_dir: {folder}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}, nonces: {nonces}}}
budgets:
  - {{name: day, limit: "1.00 USDC", window: 1d}}
routes:
  route:
    provider: {provider}
    upstream: https://api.example.com
    wallet: main
    networks: ["eip155:8453"]
    max_payment: "1.00 USDC"
    budgets: [day]
{more}
"""


async def paying(
    folder: Path, provider: str, more: str = "", nonces: str = "random"
) -> PayingRoute:
    """The paying side of a route with this provider."""
    write_private(folder / "evm.key", KEY)
    text = CONFIG.format(folder=folder, provider=provider, more=more, nonces=nonces)
    config = parse_config(text, {}, {}, folder)
    ports, tasks = Ports(), Supervisor(lambda name, fault: None)
    pool = Pool(tasks)
    chain = pool.upstream(frozenset(), 1, 1)
    opened = open_all(config, {}, SystemEntropy())
    ledger = await SqliteLedger.open(folder / "ledger.db", "wiring")
    books = (ledger, tasks)
    table = Wiring(config, opened, pool, chain, ports, lambda event: None, books).routes()
    await ledger.close()
    await pool.close()
    route = table.routes["route"].paying
    assert route is not None
    return route


async def test_price_jump(tmp_path: Path) -> None:
    """A route's price_jump_max is its own; without one there is none."""
    limited = await paying(tmp_path, "pay_per_request", '    price_jump_max: "1.5"')
    free = await paying(tmp_path, "pay_per_request")

    assert (Decimal("1.5"), None) == (limited.price_jump_max, free.price_jump_max)


async def test_places(tmp_path: Path) -> None:
    """At x402layer each endpoint is a place of its own; elsewhere there is one for all."""
    request = HttpRequest("POST", "https://api.example.com/e/weather/today?x=1")
    layer = await paying(tmp_path, "x402layer")
    plain = await paying(tmp_path, "libertai")

    assert ("weather", "") == (layer.place_of(request), plain.place_of(request))


async def test_nonces(tmp_path: Path) -> None:
    """A wallet's nonces are derived from its key where the config says so, and not elsewhere."""
    random = await paying(tmp_path, "pay_per_request")
    derived = await paying(tmp_path, "pay_per_request", nonces="derived")

    assert random.nonces is None
    assert derived.nonces is not None
    assert NonceSecret.of(parse_private_key(KEY)).reveal() == derived.nonces.reveal()
