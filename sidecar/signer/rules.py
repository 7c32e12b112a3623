"""The signer's own rules: what it signs, whoever asks.

A JSON file, because a stranger's parser is no part of this process. All of it is checked before
the key is read; a word that is not known is a mistake, and so is one that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sidecar.base58 import is_public_key
from sidecar.chains import NETWORK_NAMES, is_evm
from sidecar.document import read_json
from sidecar.errors import ConfigError
from sidecar.money import Usdc
from sidecar.policy import VALIDITY_S_LIMIT, VALIDITY_S_MIN
from sidecar.refusal import Denied
from sidecar.signer.key import KeyPlace, read_key_place
from sidecar.signer.requests import Order
from sidecar.values import dataclass
from sidecar.wallets import WalletKind

RULES_BYTES_MAX = 64 * 1024
PAYMENTS_MAX = 100_000
ANYONE = "anyone"
# Between drawing an authorization up and asking for its signature lies one write into a ledger.
ARRIVAL_S = 10
# A blockhash ends a Solana transfer's life, and its wallet writes down this much.
SOLANA_LIFE_S = 120

_EVM_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9.\[\]:-]{1,255}", re.ASCII)
_NEEDED = ("kind", "key", "journal", "networks", "max_payment", "pay_to", "per_hour", "per_day")
_OPTIONAL = ("permits", "validity_s_max", "sign_in_domains", "peer_user")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cap:
    """What may be signed for within any span of this length."""

    span: timedelta
    amount: Usdc
    payments: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What one signer signs."""

    kind: WalletKind
    key: KeyPlace
    journal: Path
    networks: frozenset[str]
    max_payment: Usdc
    pay_to: frozenset[str] | None  # EVM's in lower case; None: anyone
    caps: tuple[Cap, ...]
    permits: bool = False
    validity_s_max: int = 120
    sign_in_domains: frozenset[str] = frozenset()
    peer_user: int | None = None  # None: the signer's own

    def refusal(self, order: Order) -> Denied | None:
        """Why this may never be signed, whenever it is asked; None when it may."""
        if order.network not in self.networks:
            return Denied("network", f"this signer does not sign for {order.network}")
        if order.is_permit and not self.permits:
            return Denied("scheme", "this signer does not sign Permits")
        payee = order.payee.lower() if is_evm(order.network) else order.payee
        if self.pay_to is not None and payee not in self.pay_to:
            return Denied("pay_to", f"this signer does not pay {order.payee}")
        if order.amount > self.max_payment:
            return Denied(
                "max_payment",
                f"{order.amount}, and this signer signs for at most {self.max_payment} at once",
            )
        return None

    def refuse_validity(self, order: Order, at: datetime) -> Denied | None:
        """Why this may not be signed for the first time now; None when it may."""
        life_s = (order.expires_at - at).total_seconds()
        longest_s = self.validity_s_max if is_evm(order.network) else SOLANA_LIFE_S
        if life_s > longest_s:
            return Denied("validity", f"valid for {life_s:.0f} s; at most {longest_s} s is signed")
        if life_s < VALIDITY_S_MIN - ARRIVAL_S:
            return Denied("validity", f"valid for {life_s:.0f} s; no seller settles in that safely")
        return None


def read_rules(data: bytes) -> Rules:
    """The rules in this file. ConfigError names the first mistake."""
    try:
        document = read_json(data)
    except ValueError as fault:
        raise ConfigError(f"not JSON that can be read: {fault}") from fault
    fields = _section(document, "the rules", _NEEDED, _OPTIONAL)
    kind = _kind(fields["kind"])
    pay_to = _pay_to(fields["pay_to"], kind)
    permits = _typed(fields.get("permits", False), bool, "permits", "true or false")
    if permits and pay_to is None:
        raise ConfigError("permits: a Permit is an allowance; name who may have one in pay_to")
    validity_s = _number(
        fields.get("validity_s_max", 120), "validity_s_max", VALIDITY_S_MIN, VALIDITY_S_LIMIT
    )
    peer = fields.get("peer_user")
    return Rules(
        kind=kind,
        key=read_key_place(fields["key"], "key"),
        journal=_path(fields["journal"], "journal"),
        networks=_networks(fields["networks"], kind),
        max_payment=_amount(fields["max_payment"], "max_payment"),
        pay_to=pay_to,
        caps=(
            _cap(fields["per_hour"], "per_hour", timedelta(hours=1)),
            _cap(fields["per_day"], "per_day", timedelta(days=1)),
        ),
        permits=permits,
        validity_s_max=validity_s,
        sign_in_domains=_domains(fields.get("sign_in_domains", [])),
        peer_user=None if peer is None else _number(peer, "peer_user", 0, 2**32 - 2),
    )


def _section(
    value: object, name: str, needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Mapping[str, Any]:
    fields = _typed(value, dict, name, "an object")
    for key in fields:
        if key not in (*needed, *optional):
            raise ConfigError(f"{name}: {key[:40]!r} is not a word of these rules; remove it")
    for key in needed:
        if key not in fields:
            raise ConfigError(f"{name}: {key} is missing; add it")
    return fields


def _typed(value: object, kind: type[T], name: str, words: str) -> T:
    # Exactly: a bool would pass for a number.
    if type(value) is not kind:
        raise ConfigError(f"{name}: it must be {words}")
    return value


def _number(value: object, name: str, least: int, most: int) -> int:
    number = _typed(value, int, name, "a whole number")
    if not least <= number <= most:
        raise ConfigError(f"{name}: it must be {least} to {most}")
    return number


def _amount(value: object, name: str) -> Usdc:
    text = _typed(value, str, name, 'an amount, like "5.00 USDC"')
    try:
        return Usdc.parse(text)
    except ValueError as fault:
        raise ConfigError(f"{name}: {fault}") from fault


def _path(value: object, name: str) -> Path:
    path = Path(_typed(value, str, name, "a path"))
    # Relative to what? It depends on who starts us.
    if not path.is_absolute() or "\0" in str(path):
        raise ConfigError(f"{name}: it must be an absolute path")
    return path


def _cap(value: object, name: str, span: timedelta) -> Cap:
    fields = _section(value, name, ("amount", "payments"))
    payments = _number(fields["payments"], f"{name}.payments", 0, PAYMENTS_MAX)
    return Cap(span, _amount(fields["amount"], f"{name}.amount"), payments)


def _kind(value: object) -> WalletKind:
    if value == "evm":
        return "evm"
    if value == "solana":
        return "solana"
    raise ConfigError('kind: it must be "evm" or "solana"')


def _texts(value: object, name: str) -> tuple[str, ...]:
    texts = _typed(value, list, name, "a list of texts")
    return tuple(_typed(text, str, name, "a list of texts") for text in texts)


def _networks(value: object, kind: WalletKind) -> frozenset[str]:
    networks = _texts(value, "networks")
    for network in networks:
        if network not in NETWORK_NAMES or is_evm(network) != (kind == "evm"):
            raise ConfigError(f"networks: {network[:80]!r} is none of ours for this kind of key")
    return frozenset(networks)


def _pay_to(value: object, kind: WalletKind) -> frozenset[str] | None:
    if value == ANYONE:
        return None
    addresses = _texts(value, "pay_to")
    if not addresses:
        raise ConfigError(f'pay_to: name who may be paid, or write "{ANYONE}"')
    for address in addresses:
        is_one = _EVM_ADDRESS.fullmatch(address) if kind == "evm" else is_public_key(address)
        if not is_one:
            raise ConfigError(f"pay_to: {address[:80]!r} is not an address of this kind of key")
    return frozenset(address.lower() if kind == "evm" else address for address in addresses)


def _domains(value: object) -> frozenset[str]:
    domains = _texts(value, "sign_in_domains")
    for domain in domains:
        if _DOMAIN.fullmatch(domain) is None:
            raise ConfigError(f"sign_in_domains: {domain[:80]!r} is not a host in lower case")
    return frozenset(domains)
