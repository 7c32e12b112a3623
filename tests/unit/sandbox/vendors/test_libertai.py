"""LibertAI: a quote for each request, a permit or a transfer for it, settled after the answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import openai
import pytest
from eth_account.signers.local import LocalAccount
from solders.hash import Hash
from solders.pubkey import Pubkey

from sidecar.chains import usdc_on
from sidecar.money import Usdc
from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.books import Outcome
from sidecar.sandbox.vendors.conduct import Misdeed
from sidecar.sandbox.vendors.libertai_options import (
    RECIPIENT,
    SERVER_WALLET,
    LibertaiOptions,
    Model,
)
from sidecar.sandbox.vendors.options import VendorOptions
from tests.unit.sandbox.client import Answer, Buyer, chat
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.solana.building import Build as SolanaBuild
from tests.world.payment_builder import PAYER, STRANGER, Build, decode

CHAT = "/libertai/v1/chat/completions"
NETWORK = "eip155:84532"
BODY = chat("one two three", "m-permit", max_tokens=100)
TWA_BODY = chat("one two three", "m-twa", max_tokens=100)
START = 100_000_000

PERMIT = [
    {"name": "owner", "type": "address"},
    {"name": "spender", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "nonce", "type": "uint256"},
    {"name": "deadline", "type": "uint256"},
]


@dataclass(frozen=True, slots=True)
class PermitBuild:
    """A permit as LibertAI's own client signs it. `replace` it to change one thing."""

    now_s: int
    value: int
    signer: LocalAccount = field(default=PAYER)
    owner: str = PAYER.address
    spender: str = SERVER_WALLET
    nonce: int = 0
    life_s: int = 300
    valid_after: int = 0

    def payload(self) -> dict[str, Any]:
        asset = usdc_on(NETWORK)
        domain = {
            "name": asset.domain_name,
            "version": asset.domain_version,
            "chainId": asset.chain_id,
            "verifyingContract": asset.address,
        }
        deadline = self.now_s + self.life_s
        message = {
            "owner": bytes.fromhex(self.owner[2:]),
            "spender": bytes.fromhex(self.spender[2:]),
            "value": self.value,
            "nonce": self.nonce,
            "deadline": deadline,
        }
        signed = self.signer.sign_typed_data(domain, {"Permit": PERMIT}, message)
        return {
            "signature": "0x" + bytes(signed.signature).hex(),
            "authorization": {
                "from": self.owner,
                "to": self.spender,
                "value": str(self.value),
                "validAfter": str(self.valid_after),
                "validBefore": str(deadline),
                "nonce": f"0x{self.nonce:064x}",
            },
        }


def upto(payload: dict[str, Any], change: Mapping[str, object] | None = None) -> str:
    """The header: plain JSON, and compact."""
    document = {"x402Version": 2, "scheme": "upto", "network": NETWORK, "payload": payload}
    return json.dumps({**document, **(change or {})}, separators=(",", ":"))


async def ask(buyer: Buyer, body: bytes = BODY, path: str = CHAT, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await buyer.send("POST", path, body, named)


async def quoted(buyer: Buyer, body: bytes = BODY, path: str = CHAT) -> int:
    answer = await ask(buyer, body, path)
    assert 402 == answer.status, answer.body
    return int(answer.json["accepts"][0]["maxAmountRequired"])


async def permit(buyer: Buyer, body: bytes = BODY, **change: Any) -> PermitBuild:
    """A good permit for these bytes."""
    made = PermitBuild(buyer.now_s, await quoted(buyer, body))
    return replace(made, **change)


async def transfer(buyer: Buyer, body: bytes = TWA_BODY, **change: Any) -> Build:
    """A good transfer for these bytes."""
    value = await quoted(buyer, body)
    made = replace(buyer.build, to=SERVER_WALLET, value=value, valid_for_s=300)
    return replace(made, **change)


async def pay(buyer: Buyer, body: bytes = BODY, **change: Any) -> Answer:
    """Ask, sign a permit, and ask again."""
    built = await permit(buyer, body, **change)
    return await ask(buyer, body, X_PAYMENT=upto(built.payload()))


def held(buyer: Buyer, address: str = PAYER.address) -> int:
    chain = buyer.sandbox.chain
    return chain.balance(address, chain.head()).atomic


def nonce(buyer: Buyer) -> int:
    return buyer.sandbox.chain.nonce(PAYER.address, buyer.sandbox.chain.head())


# --- before the money ---


async def test_models(buyer: Buyer) -> None:
    """The list of models is free."""
    answer = await buyer.send("GET", "/libertai/v1/models")

    assert 200 == answer.status
    assert "gemma-4-31b-it" in [model["id"] for model in answer.json["data"]]


@pytest.mark.parametrize("value", ["Bearer x402", "Bearer ", "", "Basic eDp5"])
async def test_any_authorization(buyer: Buyer, value: str) -> None:
    """Any Authorization header at all turns the payment off, and is refused."""
    built = await permit(buyer)
    answer = await ask(buyer, X_PAYMENT=upto(built.payload()), Authorization=value)

    assert (401, {"detail": "Invalid API key"}) == (answer.status, answer.json)
    assert [] == list(buyer.sandbox.vendors.libertai.calls)


async def test_terms(buyer: Buyer) -> None:
    """The 402 has v1's field names, a CAIP-2 network and x402Version 2, in header and body."""
    answer = await ask(buyer)
    (entry,) = answer.json["accepts"]

    assert (402, "X-PAYMENT") == (answer.status, answer.headers["WWW-Authenticate"])
    assert {
        "scheme": "upto",
        "network": NETWORK,
        "maxAmountRequired": "160",
        "resource": buyer.sandbox.url + CHAT,
        "description": "Pay-per-use inference for m-permit",
        "mimeType": "application/json",
        "payTo": SERVER_WALLET,
        "maxTimeoutSeconds": 300,
        "asset": usdc_on(NETWORK).address,
        "extra": {
            "name": "USDC",
            "version": "2",
            "recipientAddress": RECIPIENT,
            "primaryType": "Permit",
        },
    } == entry | {"maxAmountRequired": "160"}
    assert "X-PAYMENT header is required" == answer.json["error"]
    assert {"x402Version": 2, "accepts": [entry]} == decode(answer.headers["PAYMENT-REQUIRED"])


async def test_primary_types(buyer: Buyer) -> None:
    """A model names what it wants signed, or nothing, which means a transfer."""
    named = (await ask(buyer, TWA_BODY)).json["accepts"][0]["extra"]
    unnamed = (await ask(buyer, chat("x", "m-default"))).json["accepts"][0]["extra"]

    assert "TransferWithAuthorization" == named["primaryType"]
    assert "primaryType" not in unnamed


async def test_quotes(buyer: Buyer) -> None:
    """Without a limit the quote is for the whole context, and never under the floor."""
    short = await quoted(buyer, chat("x", "m-permit", max_tokens=100))
    renamed = await quoted(buyer, chat("x", "m-permit", max_completion_tokens=200))
    unlimited = await quoted(buyer, chat("x", "m-permit"))
    least = await quoted(buyer, chat("x", "m-permit", max_tokens=1))

    assert short < renamed < unlimited
    assert 32_768 * Decimal("1.5") < unlimited < 32_768 * Decimal("1.5") + 100
    assert 100 == least


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (CHAT, b"", 422),
        (CHAT, b"[]", 422),
        (CHAT, b'{"messages": []}', 422),
        (CHAT, b'{"model": 1}', 422),
        (CHAT, chat("x", "gpt-99"), 404),
        (CHAT, chat("x", "m-unpriced"), 404),
        ("/libertai/v1/nothing", chat("x", "m-permit"), 404),
        ("/libertai/v1/paid", chat("x", "m-permit"), 404),
    ],
)
async def test_refusals(buyer: Buyer, path: str, body: bytes, status: int) -> None:
    """What is not for sale is refused as FastAPI does it, before any price is named."""
    answer = await ask(buyer, body, path)

    assert status == answer.status
    assert isinstance(answer.json["detail"], str)


# --- permits ---


async def test_permit(buyer: Buyer) -> None:
    """A permit buys a call, and is settled for what was used, later, to the recipient."""
    answer = await pay(buyer)
    before = (held(buyer), nonce(buyer))
    (call,) = buyer.sandbox.vendors.libertai.calls
    undecided = call.settled
    buyer.clock.advance(1)
    (settlement,) = buyer.books.settlements

    assert 200 == answer.status
    assert (3, 6) == (
        answer.json["usage"]["prompt_tokens"],
        answer.json["usage"]["completion_tokens"],
    )
    assert ((START, 0), None) == (before, undecided)
    assert call.settled is True
    assert (START - 100, 1) == (held(buyer), nonce(buyer))
    assert 100 == held(buyer, RECIPIENT) - START
    assert (Usdc(100), PAYER.address, RECIPIENT) == (
        settlement.amount,
        settlement.payer,
        settlement.payee,
    )
    assert settlement.purchase is not None
    assert (CHAT, 1) == (settlement.path, settlement.deliveries)


async def test_actual_usage(shop: Open) -> None:
    """What settles is the usage, never more than the quote, and the rest stays allowed."""
    dear = {"m-permit": Model(input_usd=Decimal(1_000), output_usd=Decimal(1_000))}
    buyer = await shop(SandboxOptions(vendors=VendorOptions(libertai=LibertaiOptions(models=dear))))
    value = await quoted(buyer)
    await pay(buyer)
    buyer.clock.advance(1)
    chain = buyer.sandbox.chain
    (call,) = buyer.sandbox.vendors.libertai.calls

    assert (9_000, Usdc(9_000), Usdc(value)) == (
        START - held(buyer),
        call.amount,
        Usdc(call.quote.amount),
    )
    assert value - 9_000 == chain.allowance(PAYER.address, SERVER_WALLET, chain.head())
    account = buyer.sandbox.vendors.libertai.account(PAYER.address)
    assert [(Decimal("0.009"), "m-permit")] == [
        (found.amount, found.model) for found in account.charges
    ]


async def test_never_more_than_the_quote(buyer: Buyer) -> None:
    """A model that says more than it was allowed to is paid for what was quoted."""
    body = chat("a " * 400, "m-permit", max_tokens=1)
    value = await quoted(buyer, body)
    await pay(buyer, body)
    buyer.clock.advance(1)

    assert value == START - held(buyer)


async def test_no_receipt(buyer: Buyer) -> None:
    """The answer tells nothing of the payment."""
    answer = await pay(buyer)

    assert not any("payment" in name.lower() for name in answer.headers)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signer": STRANGER}, "invalid_exact_evm_payload_signature"),
        ({"nonce": 1}, "invalid_permit_nonce"),
        ({"value": 1}, "invalid_exact_evm_payload_authorization_value_mismatch"),
        ({"value": 10**6}, "invalid_exact_evm_payload_authorization_value_mismatch"),
        ({"spender": RECIPIENT}, "invalid_exact_evm_payload_recipient_mismatch"),
        ({"life_s": 5}, "invalid_exact_evm_payload_authorization_valid_before"),
        ({"life_s": 306}, "invalid_exact_evm_payload_authorization_valid_before"),
        ({"valid_after": 1}, "invalid_exact_evm_transaction_simulation_failed"),
        ({"owner": PAYER.address.lower()}, "invalid_exact_evm_transaction_simulation_failed"),
        ({"spender": SERVER_WALLET.lower()}, "invalid_exact_evm_transaction_simulation_failed"),
    ],
)
async def test_bad_permit(buyer: Buyer, change: dict[str, Any], reason: str) -> None:
    """A permit that is no good gets the very same 402 again, and nothing is served."""
    first = await ask(buyer)
    answer = await pay(buyer, **change)
    buyer.clock.advance(10)

    assert (402, first.body) == (answer.status, answer.body)
    assert reason == buyer.books.presentations[0].reason
    assert [] == list(buyer.sandbox.vendors.libertai.calls)
    assert START == held(buyer)


ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def v_of_zero(signature: bytes) -> bytes:
    return signature[:64] + bytes([signature[64] - 27])


def high_s(signature: bytes) -> bytes:
    flipped = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + flipped.to_bytes(32, "big") + bytes([55 - signature[64]])


@pytest.mark.parametrize("spoil", [v_of_zero, high_s, lambda _: bytes(64) + b"\x1b"])
async def test_bad_signature(buyer: Buyer, spoil: Callable[[bytes], bytes]) -> None:
    """A signature in a form that the token does not take is none."""
    payload = (await permit(buyer)).payload()
    signature = bytes.fromhex(payload["signature"][2:])
    payload["signature"] = "0x" + spoil(signature).hex()
    answer = await ask(buyer, X_PAYMENT=upto(payload))

    assert 402 == answer.status
    assert "invalid_exact_evm_payload_signature" == buyer.books.presentations[0].reason


async def test_solana_transaction(buyer: Buyer) -> None:
    """A Solana transaction pays nothing here."""
    await quoted(buyer)
    made = SolanaBuild(Pubkey.new_unique(), Hash.default())
    answer = await ask(buyer, X_PAYMENT=upto({"transaction": made.base64()}))

    assert 402 == answer.status
    assert "unreadable" == buyer.books.presentations[0].reason


async def test_quotes_are_forgotten(shop: Open) -> None:
    """Only so many quotes are remembered: one that was forgotten has to be asked for again."""
    buyer = await shop(SandboxOptions(decoys_max=1))
    built = await permit(buyer)
    await quoted(buyer, TWA_BODY)
    forgotten = await ask(buyer, X_PAYMENT=upto(built.payload()))
    known = await ask(buyer, X_PAYMENT=upto(built.payload()))

    assert (402, 200) == (forgotten.status, known.status)


async def test_poor_payer(buyer: Buyer) -> None:
    """Who has less than the quote buys nothing."""
    buyer.sandbox.chain.set_balance(PAYER.address, Usdc(100))
    body = chat("x", "m-permit")

    assert 402 == (await pay(buyer, body)).status
    assert "invalid_exact_evm_insufficient_balance" == buyer.books.presentations[0].reason


async def test_other_bytes(buyer: Buyer) -> None:
    """A payment buys the very bytes that were quoted, and no others that cost the same."""
    built = await permit(buyer)
    other = BODY.replace(b"three", b"seven")
    answer = await ask(buyer, other, X_PAYMENT=upto(built.payload()))
    now_quoted = await ask(buyer, other, X_PAYMENT=upto(built.payload()))

    assert (402, 200) == (answer.status, now_quoted.status)
    assert str(built.value) == answer.json["accepts"][0]["maxAmountRequired"]


async def test_twice(buyer: Buyer) -> None:
    """A permit that has settled buys nothing again."""
    built = await permit(buyer)
    first = await ask(buyer, X_PAYMENT=upto(built.payload()))
    buyer.clock.advance(1)
    second = await ask(buyer, X_PAYMENT=upto(built.payload()))

    assert (200, 402) == (first.status, second.status)
    assert 100 == START - held(buyer)


async def test_one_nonce_twice(buyer: Buyer) -> None:
    """Of two permits of one nonce both are served while neither has settled; one is paid for."""
    other = chat("another", "m-permit", max_tokens=100)
    statuses = [(await pay(buyer, body)).status for body in (BODY, other)]
    buyer.clock.advance(1)
    first, second = buyer.sandbox.vendors.libertai.calls

    assert [200, 200] == statuses
    assert (True, False) == (first.settled, second.settled)
    assert (1, 100) == (nonce(buyer), START - held(buyer))


async def test_next_nonce(buyer: Buyer) -> None:
    """After one has settled, the next permit has the next nonce, and overwrites what was left."""
    await pay(buyer)
    buyer.clock.advance(1)
    body = chat("x", "m-permit", max_tokens=200)
    answer = await pay(buyer, body, nonce=1)
    buyer.clock.advance(1)
    chain = buyer.sandbox.chain
    left = chain.allowance(PAYER.address, SERVER_WALLET, chain.head())

    assert 200 == answer.status
    assert (2, START - 200) == (nonce(buyer), held(buyer))
    assert await quoted(buyer, body) - 100 == left


async def test_expired_before_it_settled(shop: Open) -> None:
    """What is settled after the deadline never lands, and its nonce stays free."""
    options = LibertaiOptions(settle_delay_s=7)
    buyer = await shop(SandboxOptions(vendors=VendorOptions(libertai=options)))
    answer = await pay(buyer, life_s=6)
    buyer.clock.advance(60)
    (call,) = buyer.sandbox.vendors.libertai.calls

    assert (200, False) == (answer.status, call.settled)
    assert (START, 0) == (held(buyer), nonce(buyer))


# --- transfers ---


@pytest.mark.parametrize("name", ["m-twa", "m-default"])
async def test_transfer(buyer: Buyer, name: str) -> None:
    """A transfer is settled for all of the quote, to the server wallet."""
    body = chat("one two three", name, max_tokens=100)
    built = await transfer(buyer, body, valid_after=buyer.now_s - 600)
    answer = await ask(buyer, body, X_PAYMENT=upto(built.payload()))
    before = held(buyer)
    buyer.clock.advance(1)

    assert (200, START) == (answer.status, before)
    assert (START - built.value, START + built.value) == (held(buyer), held(buyer, SERVER_WALLET))


async def test_wrong_type(buyer: Buyer) -> None:
    """A transfer is no permit, nor the other way round."""
    twa = await transfer(buyer, BODY)
    first = await ask(buyer, BODY, X_PAYMENT=upto(twa.payload()))
    made = await permit(buyer, TWA_BODY)
    second = await ask(buyer, TWA_BODY, X_PAYMENT=upto(made.payload()))

    assert (402, 402) == (first.status, second.status)


async def test_transfer_once(buyer: Buyer) -> None:
    """A transfer buys one call."""
    built = await transfer(buyer)
    first = await ask(buyer, TWA_BODY, X_PAYMENT=upto(built.payload()))
    buyer.clock.advance(1)
    second = await ask(buyer, TWA_BODY, X_PAYMENT=upto(built.payload()))

    assert (200, 402) == (first.status, second.status)


# --- the header ---


async def test_base64_never_settles(buyer: Buyer) -> None:
    """In base64 a payment verifies and is served, and then fails to settle."""
    built = await permit(buyer)
    text = base64.b64encode(upto(built.payload()).encode()).decode()
    answer = await ask(buyer, X_PAYMENT=text)
    buyer.clock.advance(60)
    (call,) = buyer.sandbox.vendors.libertai.calls

    assert (200, False, START) == (answer.status, call.settled, held(buyer))


async def test_other_header_never_settles(buyer: Buyer) -> None:
    """Under the other name it is the same."""
    built = await permit(buyer)
    answer = await ask(buyer, PAYMENT_SIGNATURE=upto(built.payload()))
    buyer.clock.advance(60)

    assert (200, START) == (answer.status, held(buyer))


@pytest.mark.parametrize(
    "change",
    [
        {"x402Version": 1},
        {"x402Version": "2"},
        {"scheme": "exact"},
        {"network": "base-sepolia"},
        {"payload": {}},
        {"resource": {}},
    ],
)
async def test_malformed(buyer: Buyer, change: dict[str, object]) -> None:
    """The header has its four keys, and nothing else in them."""
    built = await permit(buyer)
    answer = await ask(buyer, X_PAYMENT=upto(built.payload(), change))

    assert 402 == answer.status
    assert [] == list(buyer.sandbox.vendors.libertai.calls)


@pytest.mark.parametrize("text", ["{", "nonsense", "{}", "e30="])
async def test_unreadable(buyer: Buyer, text: str) -> None:
    """What is no payment gets the 402 again."""
    await quoted(buyer)

    assert 402 == (await ask(buyer, X_PAYMENT=text)).status


async def test_two_payments(buyer: Buyer) -> None:
    """Two payments at once are one too many."""
    built = await permit(buyer)
    text = upto(built.payload())

    assert 402 == (await ask(buyer, X_PAYMENT=text, PAYMENT_SIGNATURE=text)).status


# --- the answer ---


async def streamed(buyer: Buyer, **more: object) -> list[dict[str, Any]]:
    """The chunks of a streamed answer."""
    answer = await pay(buyer, chat("one two three", "m-permit", max_tokens=9, stream=True, **more))
    assert answer.body.endswith(b"data: [DONE]\n\n")
    lines = answer.body.decode().split("\n\n")[:-2]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


async def test_stream(buyer: Buyer) -> None:
    """A stream passes through without usage, and is settled by it all the same."""
    chunks = await streamed(buyer)
    buyer.clock.advance(1)
    (call,) = buyer.sandbox.vendors.libertai.calls

    assert not any("usage" in chunk for chunk in chunks)
    assert "The sandbox heard: one two three" == "".join(
        chunk["choices"][0]["delta"].get("content", "") for chunk in chunks
    )
    assert call.usage is not None
    assert (3, 6) == (call.usage.prompt_tokens, call.usage.completion_tokens)
    assert call.settled is True


async def test_stream_with_usage(buyer: Buyer) -> None:
    """Where it is asked for, the last chunk has no choices, and the usage."""
    chunks = await streamed(buyer, stream_options={"include_usage": True})

    assert [] == chunks[-1]["choices"]
    assert 9 == chunks[-1]["usage"]["total_tokens"]
    assert not any("usage" in chunk for chunk in chunks[:-1])


async def test_openai_reads_it(buyer: Buyer) -> None:
    """The stock OpenAI client, without its key, reads the 402 and then the stream."""
    without_key = {"Authorization": openai.Omit()}
    async with openai.AsyncOpenAI(
        base_url=buyer.sandbox.url + "/libertai/v1", api_key="x402", max_retries=0
    ) as client:

        async def ask_for(headers: dict[str, Any]) -> str:
            stream = await client.chat.completions.create(
                model="m-permit",
                messages=[{"role": "user", "content": "hi"}],
                stream=True,
                extra_headers=headers,
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        with pytest.raises(openai.APIStatusError) as refusal:
            await ask_for(without_key)
        (entry,) = refusal.value.response.json()["accepts"]
        built = PermitBuild(buyer.now_s, int(entry["maxAmountRequired"]))
        text = await ask_for({**without_key, "X-PAYMENT": upto(built.payload())})

    assert (402, "The sandbox heard: hi") == (refusal.value.status_code, text)


async def test_other_apis(buyer: Buyer) -> None:
    """Embeddings and Anthropic's messages are sold in the same way."""
    vectors = json.dumps({"model": "m-permit", "input": "a b"}).encode()
    messages = chat("one two", "m-permit", max_tokens=10, stream=True)
    for place, (kind, body) in enumerate((("embeddings", vectors), ("messages", messages))):
        path = f"/libertai/v1/{kind}"
        made = PermitBuild(buyer.now_s, await quoted(buyer, body, path), nonce=place)
        answer = await ask(buyer, body, path, X_PAYMENT=upto(made.payload()))
        buyer.clock.advance(1)
        assert 200 == answer.status, answer.body

    assert [True, True] == [call.settled for call in buyer.sandbox.vendors.libertai.calls]


async def test_cookie(buyer: Buyer) -> None:
    """A client is given a server to prefer, and keeps it while it says so."""
    first = await pay(buyer)
    buyer.clock.advance(1)
    cookie = first.headers["Set-Cookie"]
    value = cookie.partition(";")[0].partition("=")[2]
    body = chat("again", "m-permit", max_tokens=9)
    built = await permit(buyer, body, nonce=1)
    second = await ask(
        buyer, body, X_PAYMENT=upto(built.payload()), Cookie=f"preferred_instances={value}"
    )

    assert cookie.startswith("preferred_instances=")
    assert "Max-Age=1800" in cookie
    assert f"preferred_instances={value};" in second.headers["Set-Cookie"]
    assert ["", value] == [call.cookie for call in buyer.sandbox.vendors.libertai.calls]


# --- when it goes wrong ---


async def test_nothing_served(buyer: Buyer) -> None:
    """Servers that are down after a payment was verified cost nothing, and the permit lives on."""
    body = chat("x", "m-down", max_tokens=9)
    answer = await pay(buyer, body)
    buyer.clock.advance(60)
    (call,) = buyer.sandbox.vendors.libertai.calls

    assert (503, False, START) == (answer.status, call.settled, held(buyer))
    assert "All servers unavailable for model m-down" == answer.json["detail"]


async def test_refused_by_the_model(buyer: Buyer) -> None:
    """What the model refuses has no usage, and is not settled."""
    body = json.dumps({"model": "m-permit", "messages": []}).encode()
    answer = await pay(buyer, body)
    buyer.clock.advance(60)

    assert (400, START) == (answer.status, held(buyer))
    assert Outcome.UNSETTLED == buyer.books.presentations[0].outcome


async def test_never_settles(shop: Open) -> None:
    """A gateway that is told of no usage gives everything away."""
    options = LibertaiOptions(settles=False)
    buyer = await shop(SandboxOptions(vendors=VendorOptions(libertai=options)))
    answer = await pay(buyer)
    buyer.clock.advance(60)

    assert (200, START) == (answer.status, held(buyer))


async def test_refuses_a_good_payment(buyer: Buyer) -> None:
    """It can refuse what is good, with the same 402 again."""
    buyer.sandbox.vendors.conduct.add("libertai", Misdeed.TOP_UP_REFUSED)
    answer = await pay(buyer)

    assert 402 == answer.status
    assert [] == list(buyer.sandbox.vendors.libertai.calls)


def test_impossible_options() -> None:
    """The wallets are addresses, and settling takes time."""
    with pytest.raises(ValueError, match="address"):
        LibertaiOptions(recipient="0x")
    with pytest.raises(ValueError, match="time"):
        LibertaiOptions(settle_delay_s=-1)
