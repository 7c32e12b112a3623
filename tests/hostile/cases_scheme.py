"""Other flows than a plain transfer, lives that are too long or too short, odd words beside."""

from __future__ import annotations

from typing import Any

from tests.hostile.case import (
    BASE,
    HONEST,
    PRICE,
    SELLER,
    THIEF,
    Case,
    Offer,
    ask,
    ask_v1,
    entry,
    extra,
    solana_extra,
)

PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
MAX = str(2**256 - 1)
UPTO = Offer("upto", BASE, SELLER, PRICE)


def _upto(**words: Any) -> dict[str, Any]:
    return extra(**words) | {"scheme": "upto"}


SCHEMES = (
    Case("upto by a Permit", "scheme", ask(_upto(primaryType="Permit")), (UPTO,)),
    Case("upto by a transfer", "scheme", ask(_upto()), (UPTO,)),
    Case("upto by Permit2", "scheme", ask(_upto(facilitatorAddress=THIEF))),
    Case("upto by Permit2, by its other name", "scheme", ask(_upto(assetTransferMethod="permit2"))),
    Case(
        "upto, cheaper than the honest offer",
        "scheme",
        ask(_upto(primaryType="Permit") | {"amount": "1"}, entry()),
        (HONEST, Offer("upto", BASE, SELLER, 1)),
    ),
    Case("v1: upto", "scheme", ask_v1(_upto(primaryType="Permit")), (UPTO,)),
    Case(
        "upto of everything",
        "scheme",
        ask(_upto(primaryType="Permit") | {"amount": MAX}),
    ),
    Case("exact by a Permit", "scheme", ask(extra(primaryType="Permit"))),
    Case("exact by a PermitSingle", "scheme", ask(extra(primaryType="PermitSingle"))),
    Case("exact by an Approve", "scheme", ask(extra(primaryType="Approve"))),
    Case("exact by a list", "scheme", ask(extra(primaryType=["Permit"]))),
    Case(
        "exact by a receipt of a transfer",
        "scheme",
        ask(extra(primaryType="ReceiveWithAuthorization")),
    ),
    Case("batch-settlement", "scheme", ask(entry(scheme="batch-settlement"))),
    Case("deferred", "scheme", ask(entry(scheme="deferred"))),
    Case("Exact", "scheme", ask(entry(scheme="Exact"))),
    Case("exact and a space", "scheme", ask(entry(scheme="exact "))),
    Case("exact and upto", "scheme", ask(entry(scheme=["exact", "upto"]))),
    Case("no scheme", "scheme", ask(entry(scheme=...))),
    Case("an empty scheme", "scheme", ask(entry(scheme=""))),
    Case("upto on Solana", "scheme", ask(solana_extra() | {"scheme": "upto"})),
)

EXTENSIONS = {
    "eip2612GasSponsoring": {"info": {"spender": PERMIT2, "amount": MAX}},
    "erc20ApprovalGasSponsoring": {"info": {"spender": PERMIT2, "amount": MAX}},
}

FLOWS = (
    Case("Permit2", "flow", ask(extra(assetTransferMethod="permit2"))),
    Case("Permit2 in capitals", "flow", ask(extra(assetTransferMethod="PERMIT2"))),
    Case("a transfer method that is a list", "flow", ask(extra(assetTransferMethod=["eip3009"]))),
    Case("eip3009 said aloud", "flow", ask(extra(assetTransferMethod="eip3009")), (HONEST,)),
    Case(
        "Permit2 and an approval without limit",
        "flow",
        ask(extra(assetTransferMethod="permit2"), extensions=EXTENSIONS),
    ),
    Case(
        "an honest offer and an approval without limit",
        "flow",
        ask(entry(), extensions=EXTENSIONS),
        (HONEST,),
    ),
    Case("erc7710, a delegation", "flow", ask(extra(assetTransferMethod="erc7710"))),
    Case("an upfront payment", "flow", ask(extra(paymentFlow="transaction"))),
    Case("a payment flow that is an object", "flow", ask(extra(paymentFlow={}))),
    Case("v1: Permit2", "flow", ask_v1(extra(assetTransferMethod="permit2"))),
    Case(
        "Permit2, cheaper than the honest offer",
        "flow",
        ask(extra(assetTransferMethod="permit2") | {"amount": "1"}, entry()),
        (HONEST,),
    ),
    Case("a calldata to sign", "flow", ask(extra(data="0x095ea7b3" + "f" * 128)), (HONEST,)),
    Case("a digest to sign", "flow", ask(extra(digest="0x" + "11" * 32, hash="0x")), (HONEST,)),
    Case("a nonce of the seller's", "flow", ask(extra(nonce="0x" + "00" * 32)), (HONEST,)),
    Case("a payer of the seller's", "flow", ask(entry(**{"from": THIEF})), (HONEST,)),
)

TEN_YEARS = 315_360_000

LIVES: dict[str, tuple[Any, bool]] = {
    "ten years": (TEN_YEARS, True),
    "ten years in a text": (str(TEN_YEARS), True),
    "a week": (604_800, True),
    "until the end of JavaScript": (2**53, True),
    "longer than JavaScript": (2**53 + 1, False),
    "until the end of uint256": (2**256 - 1, False),
    "a float of a week": (604_800.0, True),
    "an enormous float": (1e300, False),
    "nothing": (0, False),
    "minus nothing": (-0.0, False),
    "a second": (1, False),
    "a second less than a minute": (59, False),
    "exactly a minute": (60, True),
    "exactly five minutes": (300, True),
    "a second more than five minutes": (301, True),
    "yesterday": (-86_400, False),
    "half a second": (0.5, False),
    "a text with a sign": ("+600", False),
    "a text with an exponent": ("1e9", False),
    "a text of thousands of digits": ("9" * 9_000, False),
    "Arabic-Indic digits": ("\u0661\u0662\u0660", False),
    "true": (True, False),
    "a list": ([120], False),
    "an object": ({"seconds": 120}, False),
    "null": (None, True),
    "missing": (..., True),
}

VALIDITY = (
    *(
        Case(
            f"valid for {name}",
            "validity",
            ask(entry(maxTimeoutSeconds=seconds)),
            (HONEST,) if sound else (),
        )
        for name, (seconds, sound) in LIVES.items()
    ),
    Case(
        "v1: valid for ten years", "validity", ask_v1(entry(maxTimeoutSeconds=TEN_YEARS)), (HONEST,)
    ),
    Case("v1: valid for nothing", "validity", ask_v1(entry(maxTimeoutSeconds=0))),
    Case(
        "validBefore in extra", "validity", ask(extra(validBefore=MAX, validAfter="0")), (HONEST,)
    ),
    Case("deadline in extra", "validity", ask(extra(deadline=MAX, expiry=MAX)), (HONEST,)),
)

EXTRAS = (
    Case("extra: a list", "extra", ask(entry(extra=[]))),
    Case("extra: a text", "extra", ask(entry(extra="name=USDC"))),
    Case("extra: a number", "extra", ask(entry(extra=1))),
    Case("extra: true", "extra", ask(entry(extra=True))),
    Case("extra: null", "extra", ask(entry(extra=None)), (HONEST,)),
    Case("extra: missing", "extra", ask(entry(extra=...)), (HONEST,)),
    Case("extra: empty", "extra", ask(entry(extra={})), (HONEST,)),
    Case("extra: nested objects", "extra", ask(extra(more={"a": {"b": [{"c": None}]}})), (HONEST,)),
    Case(
        "extra: two hundred words",
        "extra",
        ask(entry(extra={f"word{number}": "" for number in range(200)})),
        (HONEST,),
    ),
    Case("extra: a word that is empty", "extra", ask(entry(extra={"": THIEF})), (HONEST,)),
)

CASES = (*SCHEMES, *FLOWS, *VALIDITY, *EXTRAS)
