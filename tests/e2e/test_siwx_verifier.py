"""The official SDK judges our sign-ins: it accepts them all, and refuses every spoiled one."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest

from sidecar.chains import NETWORK_NAMES, SOLANA, SOLANA_DEVNET, is_evm
from sidecar.clock import SystemEntropy
from sidecar.config.read import parse_config
from sidecar.http import HttpRequest, HttpResponse, Origin
from sidecar.payments.events import Event
from sidecar.providers.base import Occasion, PassThrough, Present
from sidecar.providers.pay_per_request import PayPerRequest
from sidecar.service import Ports, Service, open_all
from sidecar.siwx import SignIn, SignInMessage
from sidecar.siwx.envelope import message_header, structured_header
from sidecar.siwx.times import iso_milliseconds, iso_seconds
from sidecar.wallets.evm import EvmWallet
from sidecar.wallets.solana import SolanaWallet
from tests.world.market import EVM, HEAD, SOL, write_secrets
from tests.world.processes import WORLD, Process, free_port, installed
from tests.world.running import TOKEN
from tests.world.switches import SWITCHES

SCRIPT = Path(__file__).parents[1] / "world/sdk/siwx_verifier.py"
WAIT_S = 30.0
KEY, OTHER_KEY = bytes([7]) * 32, bytes([8]) * 32
EVM_NETWORK = "eip155:84532"


@dataclass(frozen=True, slots=True)
class Verifier:
    """The official SDK as a seller, in its own venv."""

    port: int

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def send(self, request: HttpRequest) -> HttpResponse:
        """Its answer to this request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            path = request.url.removeprefix(self.origin)
            connection.request(request.method, path, request.body, dict(request.headers))
            response = connection.getresponse()
            return HttpResponse(response.status, tuple(response.getheaders()), response.read())
        finally:
            connection.close()

    def verdict(self, header: str) -> str:
        """Its code for why it refuses this header; "" if it accepts it."""
        body = json.dumps({"header": header, "origin": self.origin}).encode()
        headers = (("Content-Type", "application/json"),)
        response = self.send(HttpRequest("POST", f"{self.origin}/verify", headers, body))
        assert 200 == response.status
        code: str = json.loads(response.body)["code"]
        return code


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verifier]:
    """One process for the whole file: importing the SDK takes seconds."""
    port = free_port()
    python = installed(WORLD / "sdk-v2/bin/python")
    log = tmp_path_factory.mktemp("siwx") / "verifier.log"
    with Process([python, str(SCRIPT), "--port", str(port)], log) as process:
        process.wait_for_port(port)
        yield Verifier(port)


def wallet(network: str, key: bytes = KEY) -> SignIn:
    """A wallet of this network's kind."""
    return EvmWallet(key) if is_evm(network) else SolanaWallet(key, {})


def now() -> datetime:
    return datetime.now(UTC)


def minimal(verifier: Verifier, network: str) -> SignInMessage:
    """The least that a sign-in says, issued as we issue our own: a little ago."""
    return SignInMessage(
        domain=f"127.0.0.1:{verifier.port}",
        address=wallet(network).address,
        uri=f"{verifier.origin}/members",
        network=network,
        nonce="0123456789abcdef",
        issued_at=iso_milliseconds(now() - timedelta(seconds=5)),
    )


def full(verifier: Verifier, network: str) -> SignInMessage:
    """All that a sign-in can say."""
    return replace(
        minimal(verifier, network),
        statement="Sign in to [this]; it's free, or is it?",
        expiration_time=iso_seconds(now() + timedelta(minutes=4)),
        not_before=iso_seconds(now() - timedelta(minutes=1)),
        request_id="request-1:a@b",
        resources=(f"{verifier.origin}/members", "ipfs://bafy/terms?a=b#c"),
    )


def signed(message: SignInMessage, key: bytes = KEY) -> str:
    """The header of this message, signed with this key."""
    return structured_header(message, wallet(message.network, key).sign_in(message))


@pytest.mark.parametrize("network", sorted(NETWORK_NAMES))
@pytest.mark.parametrize("make", [minimal, full])
def test_accepted(
    verifier: Verifier, network: str, make: Callable[[Verifier, str], SignInMessage]
) -> None:
    """On every network that we know, the least and the most that we can say is accepted."""
    assert "" == verifier.verdict(signed(make(verifier, network)))


def test_other_dialect(verifier: Verifier) -> None:
    """Venice's dialect is another one: the SDK does not read it."""
    message = full(verifier, EVM_NETWORK)
    header = message_header(message, wallet(EVM_NETWORK).sign_in(message))

    assert verifier.verdict(header).startswith("unreadable: ")


Change: TypeAlias = Callable[[SignInMessage], SignInMessage]


def late(seconds: int) -> str:
    return iso_milliseconds(now() + timedelta(seconds=seconds))


@pytest.mark.parametrize("network", [EVM_NETWORK, SOLANA_DEVNET])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda m: replace(m, domain="127.0.0.1"), "invalid_siwx_domain_mismatch"),
        (lambda m: replace(m, domain=f"localhost:{m.domain[10:]}"), "invalid_siwx_domain_mismatch"),
        (lambda m: replace(m, uri="http://evil.example/members"), "invalid_siwx_uri_mismatch"),
        (lambda m: replace(m, uri=m.uri.replace("http", "https")), "invalid_siwx_uri_mismatch"),
        (lambda m: replace(m, issued_at=late(-301)), "invalid_siwx_issued_at_too_old"),
        (lambda m: replace(m, issued_at=late(60)), "invalid_siwx_issued_at_in_future"),
        (lambda m: replace(m, expiration_time=late(-1)), "invalid_siwx_expired"),
        (lambda m: replace(m, not_before=late(60)), "invalid_siwx_not_yet_valid"),
    ],
)
def test_refused(verifier: Verifier, network: str, change: Change, code: str) -> None:
    """A sign-in for somebody else, or for another time, is refused although it is well signed."""
    message = full(verifier, network)

    assert "" == verifier.verdict(signed(message))
    assert code == verifier.verdict(signed(change(message)))


Tamper: TypeAlias = Callable[[dict[str, Any]], object]

TAMPERS: dict[str, Tamper] = {
    "nonce": lambda fields: fields.update(nonce="fedcba9876543210"),
    "statement": lambda fields: fields.update(statement="Take it all"),
    "no statement": lambda fields: fields.pop("statement"),
    "uri": lambda fields: fields.update(uri=fields["uri"] + "/others"),
    "issuedAt": lambda fields: fields.update(issuedAt=late(-4)),
    "expirationTime": lambda fields: fields.update(expirationTime=late(9999)),
    "no expirationTime": lambda fields: fields.pop("expirationTime"),
    "no notBefore": lambda fields: fields.pop("notBefore"),
    "requestId": lambda fields: fields.update(requestId="request-2"),
    "resource": lambda fields: fields["resources"].append("https://evil.example"),
    "no resources": lambda fields: fields.pop("resources"),
}


@pytest.mark.parametrize("network", [EVM_NETWORK, SOLANA_DEVNET])
@pytest.mark.parametrize("name", TAMPERS)
def test_tampered(verifier: Verifier, network: str, name: str) -> None:
    """Whatever is changed after it was signed spoils it: the signature covers every field."""
    fields = decoded(signed(full(verifier, network)))
    TAMPERS[name](fields)

    assert "invalid_siwx_signature" == verifier.verdict(encoded(fields))


@pytest.mark.parametrize(
    ("network", "other"), [(EVM_NETWORK, "eip155:8453"), (SOLANA_DEVNET, SOLANA)]
)
def test_other_chain(verifier: Verifier, network: str, other: str) -> None:
    """A sign-in on one chain is none on another."""
    fields = decoded(signed(full(verifier, network))) | {"chainId": other}

    assert "invalid_siwx_signature" == verifier.verdict(encoded(fields))


@pytest.mark.parametrize("network", [EVM_NETWORK, SOLANA_DEVNET])
def test_other_key(verifier: Verifier, network: str) -> None:
    """Another key's signature, or another key's address, is not ours."""
    fields = decoded(signed(full(verifier, network)))
    other = replace(full(verifier, network), address=wallet(network, OTHER_KEY).address)
    others = decoded(signed(other, OTHER_KEY))

    assert "" == verifier.verdict(encoded(others))
    for spoiled in ("signature", "address"):
        assert "invalid_siwx_signature" == verifier.verdict(
            encoded(fields | {spoiled: others[spoiled]})
        )


@pytest.mark.parametrize(
    ("network", "code"),
    [
        (EVM_NETWORK, "invalid_siwx_signature"),
        (SOLANA_DEVNET, "invalid_siwx_malformed_signature"),
    ],
)
def test_cut_signature(verifier: Verifier, network: str, code: str) -> None:
    """A signature that lost its end is none."""
    fields = decoded(signed(full(verifier, network)))
    fields["signature"] = fields["signature"][:-4]

    assert code == verifier.verdict(encoded(fields))


@pytest.mark.parametrize("network", [EVM_NETWORK, SOLANA_DEVNET])
@pytest.mark.parametrize(
    "missing",
    ["domain", "address", "uri", "version", "chainId", "type", "nonce", "issuedAt", "signature"],
)
def test_missing_field(verifier: Verifier, network: str, missing: str) -> None:
    """Each field that we always send is one that the SDK wants."""
    fields = decoded(signed(full(verifier, network)))
    del fields[missing]

    assert verifier.verdict(encoded(fields)).startswith("unreadable: ")


@pytest.mark.parametrize("network", [EVM_NETWORK, SOLANA_DEVNET])
def test_other_type(verifier: Verifier, network: str) -> None:
    """A type of signature that the extension does not have is refused."""
    fields = decoded(signed(full(verifier, network))) | {"type": "eip1271"}

    assert verifier.verdict(encoded(fields)).startswith("unreadable: ")


@pytest.mark.parametrize("network", [EVM_NETWORK, SOLANA_DEVNET])
def test_member(verifier: Verifier, network: str) -> None:
    """The SDK's own 402 is answered by one sign-in, and that lets the request in."""
    seller = PayPerRequest(verifier.origin, wallet(network), (network,))
    request = HttpRequest("GET", f"{verifier.origin}/members")
    refusal = verifier.send(request)
    remedy = seller.remedy(request, refusal, Occasion(now(), bytes(32)))

    assert 402 == refusal.status
    assert isinstance(remedy, Present)
    assert isinstance(remedy.otherwise, PassThrough)
    admitted = verifier.send(request.with_headers(*remedy.credential.headers))
    assert (200, {"for": "members"}) == (admitted.status, json.loads(admitted.body))


def test_relay(verifier: Verifier) -> None:
    """The SDK's challenge, as another origin would relay it, is not signed."""
    refusal = verifier.send(HttpRequest("GET", f"{verifier.origin}/members"))
    relay = PayPerRequest("http://127.0.0.1:1", wallet(EVM_NETWORK), (EVM_NETWORK,))
    request = HttpRequest("GET", "http://127.0.0.1:1/members")
    remedy = relay.remedy(request, refusal, Occasion(now(), bytes(32)))

    domain = Origin.of(verifier.origin).host_header
    expected = PassThrough(
        "the seller's 402 names no price, and the seller's sign-in is for "
        f"{domain}, and this is 127.0.0.1:1"
    )
    assert expected == remedy


def decoded(header: str) -> dict[str, Any]:
    """What a header holds."""
    fields: dict[str, Any] = json.loads(base64.b64decode(header, validate=True))
    return fields


def encoded(fields: dict[str, Any]) -> str:
    """The header that holds this."""
    return base64.b64encode(json.dumps(fields).encode()).decode()


@pytest.mark.parametrize("route", ["evm", "sol"])
async def test_through_the_sidecar(tmp_path: Path, verifier: Verifier, route: str) -> None:
    """A plain HTTP client is let in on a members' page: signed in once, remembered, not paid."""
    write_secrets(tmp_path)
    text = HEAD.format(folder=tmp_path, origin=verifier.origin, interval_s=3600) + "routes:\n"
    for name, rest in (("evm", EVM), ("sol", SOL)):
        text += f"  {name}:\n    provider: pay_per_request\n    upstream: {verifier.origin}\n{rest}"
    config = parse_config(text, SWITCHES, {}, tmp_path)
    events: list[Event] = []
    opened = open_all(config, {}, SystemEntropy())
    service = await Service.start(config, opened, events.append, Ports())
    try:
        url = f"http://127.0.0.1:{service.port}/{route}/members"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            statuses = []
            for _ in range(3):
                async with session.get(url) as response:
                    statuses.append(response.status)
        ledger = service._ledger
        assert ledger is not None
        rows = await ledger.payments(None, 10)
    finally:
        await service.stop()

    assert [200] * 3 == statuses
    assert () == rows
