"""``sidecar quote``: what a request would cost, without any of it being paid or signed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest

from tests.e2e.shell import handling, sidecar, write_config
from tests.e2e.typed import Typist, begun, counted, run, typed
from tests.unit.cli.commands import Ran
from tests.world.market import Market, market

CALL = ("/seller/v1/paid", "-d", '{"n": 1}')
NOBODY = "0x" + "77" * 20

Run: TypeAlias = Callable[..., Ran]

__all__ = ["run", "typed"]  # fixtures


def challenge(**extensions: Any) -> dict[str, Any]:
    """What a seller on Base Sepolia asks for a cent."""
    offer = {
        "scheme": "exact",
        "network": "eip155:84532",
        "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        "amount": "10000",
        "payTo": NOBODY,
        "maxTimeoutSeconds": 120,
        "extra": {"name": "USDC", "version": "2"},
    }
    return {
        "x402Version": 2,
        "accepts": [offer],
        "resource": {"url": "http://x"},
        "extensions": extensions,
    }


@contextmanager
def seller(status: int, headers: Mapping[str, str], body: bytes) -> Iterator[tuple[str, list[Any]]]:
    """One that always says the same, its URL, and the headers of all that it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            asked.append(dict(self.headers.items()))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with handling(Handler) as address:
        yield f"http://{address}", asked


def asking(document: Any) -> tuple[int, dict[str, str], bytes]:
    """A 402 with this in its header."""
    header = base64.b64encode(json.dumps(document).encode()).decode()
    return 402, {"PAYMENT-REQUIRED": header}, b"{}"


async def pay(place: Market, route: str) -> None:
    async with aiohttp.ClientSession(headers=place.headers) as session:
        async with session.post(place.url(route, "/v1/paid"), json={"n": 1}) as response:
            assert 200 == response.status, await response.text()


async def test_payable(typed: Typist) -> None:
    """A quote says what is then paid, to whom and from which budget; and pays nothing itself."""
    async with market(typed.folder) as place:
        start = await begun(place)
        ran = await typed(place, "quote", *CALL, "--json")
        words = await typed(place, "quote", *CALL)
        before = await counted(place), await place.payments()
        await pay(place, "seller")
        (payment,) = await place.payments()

    quote = json.loads(ran.out)
    assert (0, "payable", "seller") == (ran.status, quote["decision"], quote["route"])
    assert (start, ()) == before
    assert (0, 0) == start[:2]
    would = quote["would_pay"]
    assert (payment.amount.atomic, payment.pay_to) == (would["amount_atomic"], would["pay_to"])
    assert ["day"] == [budget["name"] for budget in quote["budgets"]]
    assert f"would be paid: {payment.amount} to {payment.pay_to} on Base Sepolia" in words.out


async def test_in_the_ledgers_own_words(typed: Typist) -> None:
    """What is spent counts; a budget without room, a low cap and the freeze each end it with 3."""

    def poor(text: str) -> str:
        return text.replace('"100.00 USDC"', '"0.015 USDC"')

    def capped(text: str) -> str:
        head, name, route = text.rpartition("  seller:")
        return head + name + route.replace('"10.00 USDC"', '"0.005 USDC"')

    async with market(typed.folder) as place:
        start = await begun(place)
        await pay(place, "seller")
        over = await typed(place, "quote", *CALL, "--json", change=poor)
        capped_ran = await typed(place, "quote", *CALL, change=capped)
        await typed(place, "freeze")
        frozen = await typed(place, "quote", *CALL, "--json")
        now = await counted(place)

    quote = json.loads(over.out)
    assert (3, "denied", "budget") == (over.status, quote["decision"], quote["rule"])
    assert (10_000, 5_000) == (
        quote["budgets"][0]["spent_atomic"],
        quote["budgets"][0]["remaining_atomic"],
    )
    assert 3 == capped_ran.status
    assert "refused by max_payment: the seller asks 0.01 USDC" in capped_ran.out
    assert "Do: If the price is right, raise the route's max_payment" in capped_ran.out
    assert (3, "frozen") == (frozen.status, json.loads(frozen.out)["rule"])
    assert (1, 1, start[2]) == now


@pytest.mark.parametrize(
    ("path", "decision", "amount"),
    [
        ("/venice/v1/chat/completions", "payable", 10_000_000),
        ("/venice-sol/v1/chat/completions", "payable", 10_000_000),
        ("/nodit/credit/v1/base/mainnet/token/getPrices", "credit", 1_000_000),
        ("/x402layer/e/weather-data", "payable", None),
        ("/libertai/v1/chat/completions", "payable", None),
    ],
)
async def test_vendors(typed: Typist, path: str, decision: str, amount: int | None) -> None:
    """Of each vendor: what a request or a top-up costs, with nobody signed in to."""
    async with market(typed.folder) as place:
        start = await begun(place)
        body = '{"model": "m-twa", "messages": [], "max_tokens": 5}'
        ran = await typed(place, "quote", path, "-d", body, "--json")
        now = await counted(place)

    quote = json.loads(ran.out)
    assert (0, decision, start) == (ran.status, quote["decision"], now), ran.out
    if amount is not None:
        assert amount == quote["credit_atomic"]


async def test_free(typed: Typist) -> None:
    """What is served without a payment is free."""
    async with market(typed.folder) as place:
        ran = await typed(place, "quote", "/seller/v1/models", "--json")

    assert (0, "free", 200) == (
        ran.status,
        json.loads(ran.out)["decision"],
        json.loads(ran.out)["status"],
    )


def test_api_key(tmp_path: Path, run: Run) -> None:
    """A route with an API key is not asked: that would use the key."""
    with seller(200, {}, b"{}") as (url, asked):
        path = write_config(tmp_path)
        keyed = f"{{provider: api_key, upstream: '{url}', api_key: {{file: evm.key}}}}"
        path.write_text(f"{path.read_text()}  keyed: {keyed}\n")
        ran = run("quote", f"{url}/v1/models", "--route", "keyed", "--json")

    quote = json.loads(ran.out)
    assert (0, None, "free", []) == (ran.status, quote["status"], quote["decision"], asked)
    assert "nothing was sent" in quote["notes"][0]


def test_signs_nothing(tmp_path: Path, run: Run) -> None:
    """A seller that asks to be signed in to is asked once, bare: no sign-in and no credential."""
    headers: dict[str, str] = {}
    with seller(402, headers, b"{}") as (url, asked):
        info = {
            "domain": url.removeprefix("http://"),
            "uri": f"{url}/v1/x",
            "version": "1",
            "nonce": "0123456789abcdef",
            "issuedAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        chains = [{"chainId": "eip155:84532", "type": "eip191"}]
        offer = {"sign-in-with-x": {"info": info, "supportedChains": chains}}
        headers |= asking(challenge(**offer))[1]
        write_config(tmp_path, upstream=url)
        secret = ("-H", "Authorization: Bearer sk-mine", "-H", "X-Payment: abc")
        ran = run("quote", f"{url}/v1/x", *secret, "--json")

    assert (0, "payable") == (ran.status, json.loads(ran.out)["decision"]), ran.err
    (shown,) = asked
    assert set() == {name.lower() for name in shown} & {
        *("authorization", "x-payment", "payment-signature", "sign-in-with-x"),
    }
    # No folder, no token, no ledger.
    assert ["evm.key", "sidecar.yaml"] == sorted(each.name for each in tmp_path.iterdir())


def test_stranger(tmp_path: Path) -> None:
    """A seller that no route leads to: its offers are shown, and nothing would be paid: 3."""
    with seller(*asking(challenge())) as (url, asked):
        ran = sidecar(tmp_path, "quote", f"{url}/x", "-d", "{}", "--json")

    quote = json.loads(ran.stdout)
    assert (3, "route", 1) == (ran.returncode, quote["rule"], len(asked))
    assert [10_000] == [offer["amount_atomic"] for offer in quote["offers"]]


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ((402, {"PAYMENT-REQUIRED": "%%%"}, b"{}"), "cannot be read"),
        ((402, {}, b"pay me"), "names no x402 terms"),
        ((503, {}, b""), "answered 503, and named no price"),
    ],
    ids=["garbage", "no-terms", "down"],
)
def test_nonsense(
    tmp_path: Path, run: Run, answer: tuple[int, dict[str, str], bytes], wrong: str
) -> None:
    """An answer that is no offer is told of: 5."""
    write_config(tmp_path)
    with seller(*answer) as (url, _):
        ran = run("quote", f"{url}/x")

    assert (5, "") == (ran.status, ran.out)
    assert wrong in ran.err


def test_hostile_words(tmp_path: Path, run: Run) -> None:
    """What a seller writes does not steer the terminal."""
    document = challenge()
    write_config(tmp_path)
    document["accepts"][0] |= {"network": "eip155:84532\x1b[2J", "payTo": "\x1b[31m"}
    with seller(*asking(document)) as (url, _):
        ran = run("quote", f"{url}/x")

    assert "not payable: exact on eip155:84532 [2J" in ran.out
    assert "\x1b" not in ran.out


@pytest.mark.parametrize(
    ("argv", "mistake"),
    [
        (("x",), "url: x: write https://…, or a path of a route"),
        (("/nowhere/x",), "url: no route serves /nowhere/x; begin it with a route's name"),
        (("/seller/x", "--route", "no"), "--route: there is no no; those that are: seller"),
        (
            ("https://b.example/x", "--route", "seller"),
            "--route: seller leads to http://127.0.0.1:4020, and not there",
        ),
        (("/seller/x", "-H", "nonsense"), "--header: not one: nonsense; write it like NAME: VALUE"),
        (("/seller/x", "-X", "get it"), "--method: not one: get it; write it like POST"),
        (("/seller/x", "-d", "@/nowhere"), "--data: /nowhere: no such file or directory"),
        (("/seller/x", "--caller", "a"), "--caller: there is no a under callers"),
    ],
)
def test_usage(tmp_path: Path, run: Run, argv: tuple[str, ...], mistake: str) -> None:
    """What cannot be asked is named: 2."""
    write_config(tmp_path)

    ran = run("quote", *argv)

    assert (2, f"{mistake}\n") == (ran.status, ran.err)


def test_body_from_a_pipe(tmp_path: Path) -> None:
    """A body may come from a file or a pipe, and a caller's own budgets count."""
    with seller(*asking(challenge())) as (url, asked):
        path = write_config(tmp_path, upstream=url)
        pot = '{name: own, limit: "0.001 USDC", window: 1d}'
        text = path.read_text().replace("budgets: [{", f"budgets: [{pot}, {{", 1)
        path.write_text(text + "callers: [{name: app, token: {file: evm.key}, budgets: [own]}]\n")
        (tmp_path / "body.json").write_text("{}")
        whole = sidecar(tmp_path, "quote", f"{url}/x", "-d", "@body.json", "--json")
        piped = ("quote", f"{url}/x", "-d", "@-", "--caller", "app", "--json")
        own = sidecar(tmp_path, *piped, given='{"four": 4}')

    assert (0, 3) == (whole.returncode, own.returncode), own.stderr
    assert "budget" == json.loads(own.stdout)["rule"]
    assert ["2", "11"] == [headers["Content-Length"] for headers in asked]
    assert "application/json" == asked[0]["Content-Type"]
