"""A second reader of challenges, written for the judge: which offers in a document are sound.

It shares no code with the codec, and leaves out whatever has two readings.
"""

from __future__ import annotations

import re
from typing import Any

from eth_utils.address import to_checksum_address

from sidecar.base58 import is_public_key
from tests.hostile.case import BASE, MINT, SOLANA, USDC, Offer
from tests.hostile.wallets import EVM_ADDRESS, SOLANA_ADDRESS

NETWORKS = {BASE: BASE, "base": BASE, SOLANA: SOLANA, "solana": SOLANA}
AMOUNT = re.compile(r"[1-9][0-9]{0,30}")
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
NOBODY = {"0x" + "0" * 40, "0x" + "0" * 36 + "dead", USDC.lower(), EVM_ADDRESS.lower()}
ACCEPTS_MAX = 32


def sound_offers(document: Any, *, with_defaults: bool) -> tuple[Offer, ...]:
    """The sound offers of a challenge. ``with_defaults``: as x402layer leaves words out."""
    if not isinstance(document, dict):
        return ()
    version = document.get("x402Version", 1 if with_defaults else None)
    accepts = document.get("accepts")
    if type(version) is not int or version not in (1, 2) or not isinstance(accepts, list):
        return ()
    if len(accepts) > ACCEPTS_MAX:
        return ()
    offers = (_offer(one, with_defaults) for one in accepts if isinstance(one, dict))
    return tuple(offer for offer in offers if offer is not None)


def _offer(one: dict[str, Any], with_defaults: bool) -> Offer | None:
    extra = {} if one.get("extra") is None else one["extra"]
    if not isinstance(extra, dict) or _is_elsewhere(extra):
        return None
    scheme, asset, pay_to = one.get("scheme"), one.get("asset"), one.get("payTo")
    if with_defaults:
        scheme = "exact" if scheme is None else scheme
        asset = asset.rpartition(":")[2] if isinstance(asset, str) else asset
    network = one.get("network")
    if not all(isinstance(word, str) for word in (scheme, network, asset, pay_to)):
        return None
    amount = _amount(one)
    if amount is None or not _lives_long_enough(one.get("maxTimeoutSeconds")):
        return None
    known = NETWORKS.get(network or "")
    if known == BASE and str(asset).lower() == USDC.lower() and _is_plain(str(scheme), extra):
        payee = _evm_payee(str(pay_to))
    elif known == SOLANA and asset == MINT and scheme == "exact":
        payee = _solana_payee(str(pay_to), extra)
    else:
        return None
    return Offer(str(scheme), known, payee, amount) if payee else None


def _amount(one: dict[str, Any]) -> int | None:
    amounts = [one[name] for name in ("amount", "maxAmountRequired") if one.get(name) is not None]
    if not amounts or any(amount != amounts[0] for amount in amounts):
        return None
    text = amounts[0]
    return int(text) if isinstance(text, str) and AMOUNT.fullmatch(text) else None


def _evm_payee(pay_to: str) -> str:
    if ADDRESS.fullmatch(pay_to) is None or pay_to.lower() in NOBODY:
        return ""
    return str(to_checksum_address(pay_to))


def _solana_payee(pay_to: str, extra: dict[str, Any]) -> str:
    nobody = pay_to in (SOLANA_ADDRESS, MINT) or not is_public_key(pay_to)
    return "" if nobody or extra.get("feePayer") in (SOLANA_ADDRESS, pay_to) else pay_to


def _is_elsewhere(extra: dict[str, Any]) -> bool:
    """Whether another contract is to be signed for, or in another flow."""
    if "verifyingContract" in extra or extra.get("name") == "GatewayWalletBatched":
        return True
    return extra.get("paymentFlow") not in (None, "authorization")


def _is_plain(scheme: str, extra: dict[str, Any]) -> bool:
    """Whether this is one of the payments on EVM that we know, and no other flow."""
    if extra.get("assetTransferMethod") not in (None, "eip3009"):
        return False
    kind = extra.get("primaryType")
    if scheme == "upto":
        plain = kind in (None, "Permit", "TransferWithAuthorization")
        return plain and "facilitatorAddress" not in extra
    return scheme == "exact" and kind in (None, "TransferWithAuthorization")


def _lives_long_enough(seconds: Any) -> bool:
    if seconds is None:
        return True
    if isinstance(seconds, str):
        if not (seconds.isascii() and seconds.isdecimal() and len(seconds) <= 16):
            return False
        seconds = int(seconds)
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return number and seconds >= 60
