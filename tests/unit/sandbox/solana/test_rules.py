"""A Solana payment is judged by the stricter of the two official facilitators, rule for rule."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message, MessageAddressTableLookup, MessageV0, to_bytes_versioned
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from sidecar.sandbox.solana import Refused, Tendered
from sidecar.sandbox.solana.rules import judge
from tests.unit.sandbox.solana.building import (
    COMPUTE,
    LIGHTHOUSE,
    MEMO,
    OTHER_MINT,
    PAYEE,
    PAYER,
    PRICE,
    STRANGER,
    TOKEN_2022,
    Bench,
    Build,
    encoded,
    limit,
    memo,
    price,
)

SVM = "invalid_exact_svm_payload_"
LENGTH = "transaction_instructions_length"
LIMIT = "transaction_instructions_compute_limit_instruction"
UNPRICED = "transaction_instructions_compute_price_instruction"
DEAR = UNPRICED + "_too_high"
EMPTY = Instruction(LIGHTHOUSE, b"", [])


@pytest.fixture(scope="module")
def bench() -> Bench:
    """A ledger whose time stands still."""
    return Bench()


def reason(bench: Bench, text: str, wanted_memo: str | None = None) -> str:
    """Why this is refused, or nothing."""
    found = judge(text, bench.expected(memo=wanted_memo), bench.ledger.fee_payer)
    return found.reason.removeprefix(SVM) if isinstance(found, Refused) else ""


def test_good(bench: Bench) -> None:
    """What the official client builds is read: who pays, how much, and the memo."""
    found = judge(bench.build().base64(), bench.expected(), bench.ledger.fee_payer)

    assert isinstance(found, Tendered)
    assert (PAYER.pubkey(), PRICE, memo().data) == (
        found.payer,
        found.amount,
        bytes(found.memo or b""),
    )


@pytest.mark.parametrize(
    "rest",
    [
        (),
        (memo(b""),),
        (memo(b"m" * 256),),
        (Instruction(LIGHTHOUSE, b"\x01", []), memo(), Instruction(LIGHTHOUSE, b"\x02", [])),
    ],
)
def test_good_rest(bench: Bench, rest: tuple[Instruction, ...]) -> None:
    """A memo may be missing where none is asked for, and Lighthouse may stand beside it."""
    assert "" == reason(bench, bench.build(rest=rest).base64())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rest": (memo(), *[EMPTY] * 3)}, LENGTH),
        ({"first": price()}, LIMIT),
        ({"first": limit(50_001)}, LIMIT),
        ({"first": Instruction(COMPUTE, b"\x02\x00", [])}, LIMIT),
        ({"first": Instruction(MEMO, limit().data, [])}, LIMIT),
        ({"second": limit()}, UNPRICED),
        ({"second": price(5_000_001)}, DEAR),
        ({"second": Instruction(COMPUTE, price().data + b"\0", [])}, UNPRICED),
        ({"program": TOKEN_2022}, "no_transfer_instruction"),
        ({"discriminator": 3}, "no_transfer_instruction"),
        ({"decimals": 9}, "no_transfer_instruction"),
        ({"mint": OTHER_MINT}, "mint_mismatch"),
        ({"pay_to": STRANGER.pubkey()}, "recipient_mismatch"),
        ({"destination": PAYEE}, "recipient_mismatch"),
        ({"source": STRANGER.pubkey()}, "source_mismatch"),
        ({"amount": PRICE + 1}, "amount_mismatch"),
        ({"amount": PRICE - 1}, "amount_mismatch"),
        ({"rest": (memo(), memo(b"another"))}, "memo_count"),
        ({"rest": (memo(b"m" * 257),)}, "memo_mismatch"),
        ({"rest": (Instruction(COMPUTE, b"\x04", []),)}, "unknown_fourth_instruction"),
        ({"rest": (memo(), Instruction(TOKEN_2022, b"", []))}, "unknown_fifth_instruction"),
        ({"rest": (memo(), EMPTY, Instruction(COMPUTE, b"", []))}, "unknown_sixth_instruction"),
    ],
)
def test_bad(bench: Bench, change: dict[str, object], expected: str) -> None:
    """One thing that is wrong is one refusal, in the official words."""
    assert expected == reason(bench, bench.build(**change).base64())


def test_limits(bench: Bench) -> None:
    """What is just allowed is allowed."""
    at_limits = bench.build(first=limit(50_000), second=price(5_000_000))

    assert "" == reason(bench, at_limits.base64())


def test_too_few(bench: Bench) -> None:
    """Two instructions are no payment."""
    build = bench.build()
    message = MessageV0.try_compile(
        build.fee_payer, [build.first, build.transfer], [], build.blockhash
    )

    assert LENGTH == reason(bench, encoded(build.signed(message)))


def test_memo_with_a_signer(bench: Bench) -> None:
    """A memo that wants somebody's signature is not one that a seller asks for."""
    signing = Instruction(MEMO, b"x", [AccountMeta(PAYER.pubkey(), True, False)])

    assert "unknown_fourth_instruction" == reason(bench, bench.build(rest=(signing,)).base64())


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ((memo(b"inv-42"),), ""),
        ((memo(b"inv-43"),), "memo_mismatch"),
        ((memo(b"inv-42 "),), "memo_mismatch"),
        ((), "memo_count"),
    ],
)
def test_sellers_memo(bench: Bench, rest: tuple[Instruction, ...], expected: str) -> None:
    """Where the seller has a memo, it stands there once and byte for byte."""
    assert expected == reason(bench, bench.build(rest=rest).base64(), "inv-42")


def test_fee_payer(bench: Bench) -> None:
    """The fee payer is the facilitator's, and is no party to the transfer."""
    own = bench.build(fee_payer=STRANGER.pubkey())
    lighthouse = Instruction(LIGHTHOUSE, b"", [AccountMeta(bench.ledger.fee_payer, True, True)])

    assert "invalid_exact_svm_fee_payer_mismatch" == reason(bench, own.base64())
    assert "transaction_fee_payer_transferring_funds" == reason(
        bench, bench.build(rest=(lighthouse,)).base64()
    )


def test_fee_payer_pays_the_price(bench: Bench) -> None:
    """A transfer out of the fee payer's own account is refused before it is signed."""
    build = bench.build(
        rest=(Instruction(LIGHTHOUSE, b"", [AccountMeta(PAYER.pubkey(), True, False)]),)
    )
    theirs = replace(build, owner=bench.ledger.fee_payer)

    assert "transaction_fee_payer_transferring_funds" == reason(bench, theirs.base64())


def another_signer(build: Build) -> VersionedTransaction:
    raw = to_bytes_versioned(build.message())
    signatures = [Signature.default(), STRANGER.sign_message(raw)]
    return VersionedTransaction.populate(build.message(), signatures)


def without_version_byte(build: Build) -> VersionedTransaction:
    message = build.message()
    signature = build.payer.sign_message(to_bytes_versioned(message)[1:])
    return VersionedTransaction.populate(message, [Signature.default(), signature])


@pytest.mark.parametrize("spoil", [another_signer, without_version_byte])
def test_signature(bench: Bench, spoil: Callable[[Build], VersionedTransaction]) -> None:
    """The payer's signature is over the message with its version byte, by the payer."""
    assert "signature_invalid" == reason(bench, encoded(spoil(bench.build())))


def test_signed_in_the_fee_payers_place(bench: Bench) -> None:
    """The fee payer's place is empty: nobody else signs there."""
    good = bench.build().signed()
    signatures = [STRANGER.sign_message(b"x"), good.signatures[1]]
    spoilt = VersionedTransaction.populate(good.message, signatures)

    assert "transaction_could_not_be_decoded" == reason(bench, encoded(spoilt))


def legacy(build: Build) -> str:
    message = Message.new_with_blockhash(build.instructions, build.fee_payer, build.blockhash)
    return encoded(build.signed(message))


def looked_up(build: Build) -> str:
    plain = build.message()
    lookup = MessageAddressTableLookup(STRANGER.pubkey(), b"\x00", b"\x01")
    message = MessageV0(
        plain.header, plain.account_keys, plain.recent_blockhash, plain.instructions, [lookup]
    )
    return encoded(build.signed(message))


def three_signers(build: Build) -> str:
    more = Instruction(LIGHTHOUSE, b"", [AccountMeta(STRANGER.pubkey(), True, False)])
    return encoded(replace(build, rest=(more,)).signed())


def writing_payer(build: Build) -> str:
    more = Instruction(LIGHTHOUSE, b"", [AccountMeta(PAYER.pubkey(), True, True)])
    return replace(build, rest=(more,)).base64()


def index_out_of_range(build: Build) -> str:
    raw = bytearray(bytes(build.signed()))
    # The first instruction's program: after the signatures, header, keys, hash and count.
    at = raw.index(b"\x00\x05\x02\x20\x4e") - 1
    raw[at] = 99
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda build: "",
        lambda build: "é",
        lambda build: build.base64() + "\n",
        lambda build: base64.b64encode(bytes(build.signed()) + b"\0").decode(),
        lambda build: base64.b64encode(bytes(build.signed())[:-1]).decode(),
        lambda build: replace(build, rest=(memo(b"m" * 900),)).base64(),
        legacy,
        looked_up,
        three_signers,
        writing_payer,
        index_out_of_range,
    ],
)
def test_form(bench: Bench, spoil: Callable[[Build], str]) -> None:
    """Only the canonical bytes of a v0 transaction of two signers are read."""
    assert "transaction_could_not_be_decoded" == reason(bench, spoil(bench.build()))


def test_identity(bench: Bench) -> None:
    """Two memos are two payments; whoever signs, one message is one."""
    first, second = (
        judge(bench.build(rest=(memo(text),)).base64(), bench.expected(), bench.ledger.fee_payer)
        for text in (b"one", b"two")
    )
    later = judge(
        bench.build(blockhash=Hash.new_unique()).base64(), bench.expected(), bench.ledger.fee_payer
    )

    assert isinstance(first, Tendered)
    assert isinstance(second, Tendered)
    assert isinstance(later, Tendered)
    assert 3 == len({first.identity, second.identity, later.identity})
