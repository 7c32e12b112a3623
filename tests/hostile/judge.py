"""The judge: whether what left a wallet is within the rules of its route, and of nobody else's.

It looks at signatures and headers, and asks neither the codec nor the policy nor the wallet.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import nacl.exceptions
import nacl.signing
from eth_account import Account
from eth_account.messages import encode_defunct

from sidecar.base58 import decode as base58_decode
from tests.hostile.case import BASE, SOLANA, Case, Offer
from tests.hostile.cases_vendor import TOP_UP
from tests.hostile.decode import Deed, Unsound, decode
from tests.hostile.victims import OUR_BLOCKHASH, Meeting, Rules, Victim
from tests.hostile.wallets import EVM_ADDRESS, SOLANA_ADDRESS
from tests.world.fakes import NOON

VALID_S = range(60, 301)
HEADER_CHARS_MAX = 32 * 1024
DOMAIN = "seller.example"
SKEW = timedelta(minutes=5)


def allowed_by(rules: Rules, offer: Offer) -> bool:
    """Whether the operator lets a route pay this."""
    return (
        offer.network == rules.network
        and offer.scheme in rules.schemes
        and 0 < offer.amount <= rules.cap
        and (not rules.pay_to or offer.pay_to in rules.pay_to)
    )


def violations(victim: Victim, meeting: Meeting, sound: Iterable[Offer]) -> list[str]:
    """Everything that was signed and may not be, of an answer whose sound offers are these."""
    sound = tuple(sound)
    found: list[str] = []
    if len(meeting.payments) > 1:
        found.append(f"{len(meeting.payments)} payments for one answer")
    for payload in meeting.payments:
        try:
            deed = decode(payload, _payees(sound))
        except Unsound as verdict:
            found.append(str(verdict))
        else:
            found += _payment(victim, deed, sound)
    for name, value in meeting.headers:
        found += _header(victim, name, value, meeting.payments)
    for text, signature in meeting.sign_ins:
        found += _sign_in(victim, text, signature)
    return found


def expected(victim: Victim, case: Case) -> Offer | None:
    """The payment that a sound offer gets on this route: the cheapest that it allows."""
    payable = [offer for offer in case.sound if allowed_by(victim.rules, offer)]
    return min(payable, key=lambda offer: offer.amount, default=None)


def paid(meeting: Meeting, case: Case) -> Offer | None:
    """What was paid; the scheme, which a signature does not tell, is that of the offer."""
    if not meeting.payments:
        return None
    offer = decode(meeting.payments[0], _payees(case.sound)).offer
    upto = replace(offer, scheme="upto")
    return upto if upto in case.sound else offer


def _payees(sound: Iterable[Offer]) -> list[str]:
    """Those whose token accounts a transfer on Solana may go to."""
    return [offer.pay_to for offer in sound if offer.network == SOLANA]


def _payment(victim: Victim, deed: Deed, sound: tuple[Offer, ...]) -> list[str]:
    offer, found = deed.offer, []
    if not allowed_by(victim.rules, offer):
        found.append(f"signed outside of the route's rules: {offer}")
    if not any(_is_of(victim, offer, one) for one in sound):
        found.append(f"signed what the seller does not soundly offer: {offer}")
    if deed.valid_after > int(NOON.timestamp()):
        found.append("signed for later")
    # A transfer on Solana is ended by its blockhash, which is to be ours where we have a node.
    if deed.valid_before is None:
        if victim.own_blockhash and deed.blockhash != OUR_BLOCKHASH:
            found.append("signed under a blockhash of the seller's")
    elif deed.valid_before - int(NOON.timestamp()) not in VALID_S:
        found.append(f"valid for {deed.valid_before - int(NOON.timestamp())} s")
    return found


def _is_of(victim: Victim, signed: Offer, offered: Offer) -> bool:
    """Whether this is what the seller offered; of a top-up the sum may be ours."""
    whom = (signed.network, signed.pay_to) == (offered.network, offered.pay_to)
    # Under upto a transfer of the whole amount is a way to pay, too.
    how = offered.scheme in victim.rules.schemes and signed.scheme in ("exact", offered.scheme)
    if victim.charge is not None:
        return whom and how and offered.amount <= signed.amount <= TOP_UP
    return whom and how and signed.amount == offered.amount


def _header(victim: Victim, name: str, value: str, payments: list[dict[str, Any]]) -> list[str]:
    if not (value.isascii() and value.isprintable()) or not re.fullmatch(r"[A-Z-]+", name):
        return ["a header that breaks out of its line"]
    if len(value) > HEADER_CHARS_MAX:
        return [f"a header of {len(value)} characters"]
    text = value if value.startswith("{") else base64.b64decode(value, validate=True)
    document = json.loads(text)
    found = [] if document["payload"] in payments else ["a header with another payload"]
    accepted = document.get("accepted")
    if accepted is not None and "authorization" in document["payload"]:
        signed = document["payload"]["authorization"]
        if str(accepted.get("payTo")).lower() != signed["to"].lower():
            found.append("the entry that is echoed has another payee than what is signed")
        said = accepted.get("amount") or accepted.get("maxAmountRequired")
        if victim.charge is None and said != signed["value"]:
            found.append("the entry that is echoed has another amount than what is signed")
    return found


def _sign_in(victim: Victim, text: str, signature: str) -> list[str]:
    """Why this sign-in speaks to somebody else than the upstream, or at another time."""
    found = [] if _signed_by_us(victim, text, signature) else ["a sign-in that is not ours"]
    kind = "Ethereum" if victim.rules.network == BASE else "Solana"
    if not text.startswith(f"{DOMAIN} wants you to sign in with your {kind} account:\n"):
        found.append(f"a sign-in for {text[:60]!r}")
    if re.search(r"[^\n -~]", text):
        found.append("a sign-in with characters that do not show")
    words: dict[str, list[str]] = {}
    for line in text.split("\n"):
        name, _, value = line.partition(": ")
        words.setdefault(name, []).append(value)
    for name in ("URI", "Version", "Chain ID", "Nonce", "Issued At"):
        if len(words.get(name, [])) != 1:
            found.append(f"a sign-in with {name} not just once")
    uris = [*words.get("URI", []), *re.findall(r"^- (.*)$", text, re.MULTILINE)]
    if not all(re.match(rf"https://{re.escape(DOMAIN)}(?:[/?#]|$)", uri) for uri in uris):
        found.append(f"a sign-in that names {uris}")
    if words.get("Chain ID") != [victim.rules.network.partition(":")[2]]:
        found.append("a sign-in on another chain")
    return found + _untimely(words)


def _untimely(words: dict[str, list[str]]) -> list[str]:
    """Why no server may take a sign-in of these lines now."""
    found = []
    issued_at = datetime.fromisoformat(words["Issued At"][0])
    if not NOON - SKEW < issued_at <= NOON + SKEW:
        found.append(f"a sign-in of {issued_at}")
    for until in words.get("Expiration Time", []):
        if datetime.fromisoformat(until) <= NOON:
            found.append("a sign-in that has expired")
    return found


def _signed_by_us(victim: Victim, text: str, signature: str) -> bool:
    if victim.rules.network != SOLANA:
        signer = Account.recover_message(encode_defunct(text=text), signature=signature)
        return bool(EVM_ADDRESS == signer)
    key = nacl.signing.VerifyKey(base58_decode(SOLANA_ADDRESS) or b"")
    try:
        key.verify(text.encode(), base58_decode(signature))
    except nacl.exceptions.BadSignatureError:
        return False
    return True
