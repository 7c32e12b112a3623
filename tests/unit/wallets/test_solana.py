"""The Solana wallet: what it signs, what it refuses, and that its key stays inside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import VerifyKey
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.token import ID as TOKEN
from solders.transaction import VersionedTransaction

from sidecar.chains import SOLANA, SOLANA_DEVNET, usdc_on
from sidecar.errors import RemoteProtocolError, WalletBusyError, WalletError
from sidecar.http import Exchange, HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.siwx import SignIn, SignInMessage
from sidecar.wallets import PaymentSigner
from sidecar.wallets.solana import MEMO, SolanaWallet, token_account
from sidecar.wallets.solana_layout import BARE, STANDARD
from sidecar.x402.types import Authorization, PaymentRequirements
from tests.world.exchanges import answered, hold, in_silence, question_in

SEED = bytes(range(32))
ADDRESS = "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF"
PAYEE = "8qUL23aSj7mDWdoLMXGHFvnVCT9wd7jXcysiekroADEL"
FEE_PAYER = "BFK9TLC3edb13K6v4YyH3DwPb5DSUpkWvb7XnqCL9b4F"
SOURCE = "hkcktF2Akp3vj8pbBVJuxJfk5m41i4t4TSVLx2VoNHT"
DESTINATION = "G2ZB4KGgxGQH9cn1wGLjzcJxTRSZvWMdm12zC1Xqj6aW"
BLOCKHASH = "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N"
MINT = usdc_on(SOLANA).address
URL = "https://solana.example/rpc"
NONCE = b"\xab" * 32
AT = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC)
SECOND = timedelta(seconds=1)
REQUIREMENTS = PaymentRequirements(
    scheme="exact",
    network=SOLANA,
    asset=MINT,
    amount="1000",
    pay_to=PAYEE,
    max_timeout_seconds=60,
    extra={"feePayer": FEE_PAYER, "recentBlockhash": BLOCKHASH, "lastValidBlockHeight": "9"},
    original={},
)


class Cluster:
    """Answers for blockhashes: each one new, until it is told to stand still."""

    def __init__(self) -> None:
        self.height = 100
        self.asked = 0
        self.stands_still = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        assert ("getLatestBlockhash", URL) == (question_in(request)[0], request.url)
        self.asked += 1
        self.height += 0 if self.stands_still else 1
        blockhash = str(Pubkey.from_bytes(hashlib.sha256(b"%d" % self.height).digest()))
        value = {"blockhash": blockhash, "lastValidBlockHeight": self.height + 150}
        return answered({"context": {"slot": self.height}, "value": value})


def unasked() -> SolanaWallet:
    """A wallet with nobody to ask for a blockhash."""
    return SolanaWallet(SEED, {})


def asking() -> SolanaWallet:
    """A wallet that asks for its blockhashes."""
    return SolanaWallet(SEED, {SOLANA: URL})


def offer(**extra: object) -> PaymentRequirements:
    """The offer, with another ``extra``."""
    return replace(REQUIREMENTS, extra={**REQUIREMENTS.extra, **extra})


def paying(
    wallet: SolanaWallet,
    requirements: PaymentRequirements = REQUIREMENTS,
    amount: int = 1_000,
    nonce: bytes = NONCE,
    at: datetime = AT,
) -> Exchange[Authorization]:
    """The conversation that makes an authorization."""
    return wallet.authorize(requirements, Usdc(amount), nonce, at, 300)


def authorization(requirements: PaymentRequirements = REQUIREMENTS) -> Authorization:
    """A thousandth of a USDC, under the seller's blockhash, ready to be signed."""
    return in_silence(paying(unasked(), requirements))


def with_fields(**changed: str) -> Authorization:
    """The same authorization, with fields that somebody has changed."""
    known = authorization()
    return replace(known, fields={**known.fields, **changed})


def signed(authorization: Authorization) -> VersionedTransaction:
    """The transaction that the wallet signs for this."""
    payload = unasked().sign(authorization)
    assert ["transaction"] == list(payload)
    return VersionedTransaction.from_bytes(base64.b64decode(payload["transaction"]))


def instructions(message: Any) -> list[tuple[Pubkey, bytes, list[str]]]:
    """Program, data and accounts of each instruction."""
    assert isinstance(message, MessageV0)
    keys = message.account_keys
    return [
        (keys[one.program_id_index], bytes(one.data), [str(keys[at]) for at in one.accounts])
        for one in message.instructions
    ]


def test_authorize() -> None:
    """All that is signed is in the fields; it lives for two minutes, in whole seconds."""
    known = authorization()

    message = base64.b64decode(known.fields["message"])
    expected = Authorization(
        network=SOLANA,
        identity=hashlib.sha256(message).hexdigest(),
        expires_at=datetime(2026, 1, 2, 3, 6, 5, tzinfo=UTC),
        fields={
            "payer": ADDRESS,
            "pay_to": PAYEE,
            "fee_payer": FEE_PAYER,
            "source": SOURCE,
            "destination": DESTINATION,
            "mint": MINT,
            "amount": "1000",
            "decimals": "6",
            "memo": "ab" * 16,
            "blockhash": BLOCKHASH,
            "last_valid_block_height": "",
            "compute_unit_limit": "20000",
            "compute_unit_price": "1",
            "message": known.fields["message"],
        },
    )
    assert expected == known


def test_sign() -> None:
    """The transaction: its instructions, its accounts' rights, and only our signature."""
    transaction = signed(authorization())
    message = transaction.message

    assert isinstance(message, MessageV0)
    header = message.header
    assert (2, 1, 4) == (
        header.num_required_signatures,
        header.num_readonly_signed_accounts,
        header.num_readonly_unsigned_accounts,
    )
    assert [FEE_PAYER, ADDRESS] == [str(key) for key in message.account_keys[:2]]
    assert [] == message.address_table_lookups
    assert BLOCKHASH == str(message.recent_blockhash)
    assert [
        (COMPUTE_BUDGET, b"\x02" + (20_000).to_bytes(4, "little"), []),
        (COMPUTE_BUDGET, b"\x03" + (1).to_bytes(8, "little"), []),
        (
            TOKEN,
            b"\x0c" + (1_000).to_bytes(8, "little") + b"\x06",
            [SOURCE, MINT, DESTINATION, ADDRESS],
        ),
        (MEMO, b"ab" * 16, []),
    ] == instructions(message)
    assert Signature.default() == transaction.signatures[0]
    signature = bytes(transaction.signatures[1])
    public_key = VerifyKey(bytes(Pubkey.from_string(ADDRESS)))
    assert public_key.verify(b"\x80" + bytes(message), signature) == b"\x80" + bytes(message)


def test_same_bytes() -> None:
    """A wallet made anew, with another layout, signs what was written down with the same bytes."""
    known = authorization()

    assert unasked().sign(known) == SolanaWallet(SEED, {SOLANA: URL}, BARE).sign(known)


def test_own_blockhash() -> None:
    """Where an endpoint is configured, the seller's blockhash is not looked at."""
    known = hold(paying(asking()), Cluster())

    assert BLOCKHASH != known.fields["blockhash"]
    assert "251" == known.fields["last_valid_block_height"]


@pytest.mark.parametrize(
    ("passed", "asked"),
    [(0 * SECOND, 1), (10 * SECOND, 1), (10.001 * SECOND, 2), (-0.001 * SECOND, 2)],
)
def test_blockhash_is_reused(passed: timedelta, asked: int) -> None:
    """A blockhash is good for ten seconds of payments, by a clock that does not go back."""
    wallet, cluster = asking(), Cluster()
    hold(paying(wallet), cluster)
    hold(paying(wallet, at=AT + passed), cluster)

    assert asked == cluster.asked


def test_blockhash_of_each_network() -> None:
    """The blockhash of one network is not another's."""
    wallet, cluster = SolanaWallet(SEED, {SOLANA: URL, SOLANA_DEVNET: URL}), Cluster()
    there = replace(REQUIREMENTS, network=SOLANA_DEVNET, asset=usdc_on(SOLANA_DEVNET).address)
    first = hold(paying(wallet), cluster)
    second = hold(paying(wallet, there), cluster)

    assert first.fields["blockhash"] != second.fields["blockhash"]


def test_odd_blockhash() -> None:
    """An endpoint's odd answer is a fault, and the seller's blockhash is no way around it."""
    with pytest.raises(RemoteProtocolError):
        hold(paying(asking()), lambda _: answered(None))


def test_no_blockhash() -> None:
    """Without an endpoint and without a hint nothing is signed, and it says what to configure."""
    with pytest.raises(WalletError, match=r"configure chains\.solana:5eykt.*\.rpc"):
        authorization(offer(recentBlockhash=None))


@pytest.mark.parametrize(
    ("memo", "limit"),
    [
        ("i", 20_000),
        ("i" * 33, 20_000),
        ("i" * 34, 20_100),
        ("\u00e9" * 17, 20_100),
        ("i" * 108, 49_700),
        ("i" * 256, 50_000),
    ],
)
def test_sellers_memo(memo: str, limit: int) -> None:
    """A seller's memo is taken over, with units for its length, and never abusive ones."""
    known = authorization(offer(memo=memo))

    assert (memo, str(limit)) == (known.fields["memo"], known.fields["compute_unit_limit"])
    assert (MEMO, memo.encode(), []) == instructions(signed(known).message)[-1]


@pytest.mark.parametrize("memo", [None, ""])
def test_no_sellers_memo(memo: str | None) -> None:
    """An empty memo is none: ours is there."""
    assert authorization() == authorization(offer(memo=memo))


def test_bare_layout() -> None:
    """A bare transaction has three instructions, and the limits that its facilitator wants."""
    bare = unasked().with_layout(BARE)
    known = in_silence(paying(bare))

    assert [
        (COMPUTE_BUDGET, b"\x02" + (40_000).to_bytes(4, "little")),
        (COMPUTE_BUDGET, b"\x03" + (1_000).to_bytes(8, "little")),
        (TOKEN, b"\x0c" + (1_000).to_bytes(8, "little") + b"\x06"),
    ] == [one[:2] for one in instructions(signed(known).message)]
    assert ADDRESS == bare.address
    assert "inv" == in_silence(paying(bare, offer(memo="inv"))).fields["memo"]


@pytest.mark.parametrize("prepare", [lambda: offer(memo="inv-1"), lambda: REQUIREMENTS])
def test_twins(prepare: Callable[[], PaymentRequirements]) -> None:
    """Two payments that would be one transaction: the second waits until the first has expired."""
    wallet = unasked().with_layout(BARE)
    first = in_silence(paying(wallet, prepare()))

    with pytest.raises(WalletBusyError):
        in_silence(paying(wallet, prepare(), nonce=b"\xcd" * 32))
    with pytest.raises(WalletBusyError):
        in_silence(paying(wallet.with_layout(BARE), prepare(), at=first.expires_at - SECOND))
    assert first.identity == in_silence(paying(wallet, prepare(), at=first.expires_at)).identity


def test_not_twins() -> None:
    """Payments that differ in anything are not kept waiting."""
    wallet = unasked()
    memo = offer(memo="inv-1")
    made = [
        in_silence(paying(wallet, memo)),
        in_silence(paying(wallet, memo, amount=1_001)),
        in_silence(paying(wallet, offer(memo="inv-2"))),
        in_silence(paying(wallet)),
        in_silence(paying(wallet, nonce=b"\xcd" * 32)),
    ]

    assert 5 == len({one.identity for one in made})


def test_twins_get_a_blockhash_each() -> None:
    """With an endpoint, a payment that has no memo of ours is made under a new blockhash."""
    wallet, cluster = asking(), Cluster()
    first = hold(paying(wallet, offer(memo="inv-1")), cluster)
    second = hold(paying(wallet, offer(memo="inv-1")), cluster)
    cluster.stands_still = True

    assert first.identity != second.identity
    with pytest.raises(WalletBusyError):
        hold(paying(wallet, offer(memo="inv-1")), cluster)


@pytest.mark.parametrize(
    ("requirements", "amount"),
    [
        (replace(REQUIREMENTS, network="eip155:8453", asset=usdc_on("eip155:8453").address), 1),
        (replace(REQUIREMENTS, network="solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z"), 1),
        (replace(REQUIREMENTS, network=SOLANA_DEVNET), 1),
        (replace(REQUIREMENTS, asset=PAYEE), 1),
        (replace(REQUIREMENTS, asset=MINT.lower()), 1),
        (replace(REQUIREMENTS, scheme="upto"), 1),
        (replace(REQUIREMENTS, pay_to="0x" + "1" * 40), 1),
        (replace(REQUIREMENTS, pay_to=ADDRESS), 1),
        (REQUIREMENTS, 0),
        (REQUIREMENTS, 2**64),
        (offer(feePayer=None), 1),
        (offer(feePayer=7), 1),
        (offer(feePayer=FEE_PAYER[:-2]), 1),
        (offer(feePayer=ADDRESS), 1),
        (offer(feePayer=SOURCE), 1),
        (offer(feePayer=DESTINATION), 1),
        (offer(feePayer=MINT), 1),
        (offer(feePayer=str(TOKEN)), 1),
        (offer(recentBlockhash=7), 1),
        (offer(recentBlockhash="now"), 1),
        (offer(recentBlockhash=BLOCKHASH + "1"), 1),
        (offer(memo=7), 1),
        (offer(memo=["inv"]), 1),
        (offer(memo="i" * 257), 1),
        (offer(memo="\u00e9" * 129), 1),
    ],
)
def test_not_authorized(requirements: PaymentRequirements, amount: int) -> None:
    """What could not be signed is not authorized either."""
    with pytest.raises(WalletError):
        in_silence(paying(unasked(), requirements, amount))


@pytest.mark.parametrize("odd", [{"nonce": NONCE[:31]}, {"at": AT.replace(tzinfo=None)}])
def test_bugs(odd: dict[str, Any]) -> None:
    """A short nonce and a time without a zone are bugs."""
    with pytest.raises(AssertionError):
        in_silence(paying(unasked(), **odd))


SPOILED = [
    (replace(authorization(), fields={}), "lacks a field"),
    (replace(authorization(), network=SOLANA_DEVNET), "no token of ours"),
    (replace(authorization(), network="eip155:8453"), "no token of ours"),
    (
        replace(with_fields(mint=usdc_on("eip155:8453").address), network="eip155:8453"),
        "no token of ours",
    ),
    (replace(authorization(), identity="ab" * 32), "not the one that was written down"),
    (with_fields(payer=PAYEE), "a transfer from 8qUL"),
    (with_fields(pay_to=FEE_PAYER), "not the payee's token account"),
    (with_fields(pay_to=ADDRESS, destination=SOURCE), "a payment to ourselves"),
    (with_fields(fee_payer=ADDRESS), "one account has two parts"),
    (with_fields(fee_payer=PAYEE), "not the one that was written down"),
    (with_fields(source=PAYEE), "not this wallet's token account"),
    (with_fields(destination=PAYEE), "not the payee's token account"),
    (with_fields(mint=usdc_on(SOLANA_DEVNET).address), "no token of ours"),
    (with_fields(amount="0"), "not an amount"),
    (with_fields(amount="01000"), "not an amount"),
    (with_fields(amount="1001"), "not the one that was written down"),
    (with_fields(amount=str(2**64)), "not within 0 to"),
    (with_fields(decimals="9"), "other decimals"),
    (with_fields(memo="another"), "not the one that was written down"),
    (with_fields(memo="i" * 257), "a memo of over 256 bytes"),
    (with_fields(blockhash=PAYEE), "not the one that was written down"),
    (with_fields(blockhash="now"), "the blockhash is not 32 bytes"),
    (with_fields(last_valid_block_height="soon"), "not within 0 to"),
    (with_fields(compute_unit_limit="20001"), "not the one that was written down"),
    (with_fields(compute_unit_limit="50001"), "not within 0 to 50000"),
    (with_fields(compute_unit_price="2"), "not the one that was written down"),
    (with_fields(compute_unit_price="5000001"), "not within 0 to 5000000"),
    (with_fields(compute_unit_price="-1"), "not within 0 to"),
    (with_fields(message=""), "not the one that was written down"),
]


@pytest.mark.parametrize(("odd", "reason"), SPOILED)
def test_not_signed(odd: Authorization, reason: str) -> None:
    """At the signing point every field is looked at again, whatever the ledger gave back."""
    with pytest.raises(WalletError, match=reason):
        unasked().sign(odd)


def test_anothers_authorization() -> None:
    """What another wallet was to pay is not signed."""
    other = SolanaWallet(bytes(32), {})

    with pytest.raises(WalletError, match="a transfer from"):
        unasked().sign(in_silence(paying(other)))


def test_a_field_is_missing() -> None:
    """An authorization that lacks any one field is not signed."""
    fields = authorization().fields
    for missing in fields:
        rest = {name: value for name, value in fields.items() if name != missing}
        with pytest.raises(WalletError):
            unasked().sign(replace(authorization(), fields=rest))


def test_valid_height_is_not_signed() -> None:
    """The last valid height is what a prover needs; no signature covers it."""
    assert unasked().sign(authorization()) == unasked().sign(
        with_fields(last_valid_block_height="7")
    )


@given(name=st.sampled_from(sorted(set(authorization().fields))), value=st.text(max_size=90))
def test_spoiled_fields(name: str, value: str) -> None:
    """Whatever a field is turned into, it is refused, or it was covered by no signature."""
    spoiled = with_fields(**{name: value})
    try:
        payload = unasked().sign(spoiled)
    except WalletError:
        return

    assert payload == unasked().sign(authorization())
    assert value == authorization().fields[name] or name == "last_valid_block_height"


@given(
    memo=st.text(st.characters(exclude_categories=["Cs"]), max_size=64),
    amount=st.integers(1, 2**64 - 1),
    payee=st.binary(min_size=32, max_size=32),
    fee_payer=st.binary(min_size=32, max_size=32),
)
def test_signs_what_was_authorized(memo: str, amount: int, payee: bytes, fee_payer: bytes) -> None:
    """Whatever is authorized moves that amount between those two accounts, and nothing else."""
    payees_key, fee_payers_key = str(Pubkey.from_bytes(payee)), str(Pubkey.from_bytes(fee_payer))
    terms = replace(offer(memo=memo, feePayer=fee_payers_key), pay_to=payees_key)
    transaction = signed(in_silence(paying(unasked(), terms, amount)))

    _, _, transfer, last = instructions(transaction.message)
    data = b"\x0c" + amount.to_bytes(8, "little") + b"\x06"
    accounts = [SOURCE, MINT, token_account(payees_key, MINT), ADDRESS]
    assert (TOKEN, data, accounts) == transfer
    assert (memo or "ab" * 16).encode() == last[1]
    assert 1_232 >= len(bytes(transaction))


MESSAGE = SignInMessage(
    domain="api.example.com",
    address=ADDRESS,
    uri="https://api.example.com",
    network=SOLANA,
    nonce="0123456789abcdef",
    issued_at="2026-01-02T03:04:05.000Z",
)


def test_sign_in() -> None:
    """A sign-in is signed as its text, in base58."""
    signature = Signature.from_string(unasked().sign_in(MESSAGE))

    assert signature.verify(Pubkey.from_string(ADDRESS), MESSAGE.text().encode())


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (replace(MESSAGE, address=PAYEE), "a sign-in of 8qUL"),
        (
            replace(MESSAGE, network="eip155:8453", address="0x" + "1" * 40),
            "a sign-in on eip155:8453",
        ),
    ],
)
def test_not_our_sign_in(message: SignInMessage, reason: str) -> None:
    """Another address, or another kind of chain, is not signed for."""
    with pytest.raises(WalletError, match=reason):
        unasked().sign_in(message)


def test_is_a_wallet() -> None:
    """The wallet is what the money path and the providers ask for, and knows its addresses."""
    signer: PaymentSigner = unasked()
    visitor: SignIn = unasked()

    assert [ADDRESS, ADDRESS] == [signer.address, visitor.address]
    assert SOURCE == unasked().usdc_account(SOLANA)


@pytest.mark.parametrize("seed", [b"", SEED[:31], SEED + b"\0", SEED + SEED])
def test_not_a_key(seed: bytes) -> None:
    """A key is 32 bytes."""
    with pytest.raises(WalletError, match="it must be 32 bytes"):
        SolanaWallet(seed, {})


def test_repr() -> None:
    """A wallet shows its address, and nothing of its key."""
    assert f"SolanaWallet({ADDRESS})" == repr(unasked())
    assert not hasattr(unasked(), "__dict__")


def test_standard_layout() -> None:
    """What the official client does is what is done where nobody wants it otherwise."""
    assert (20_000, 1, True) == (
        STANDARD.compute_unit_limit,
        STANDARD.compute_unit_price,
        STANDARD.own_memo,
    )
