"""The signer's rules: read strictly, or not at all."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sidecar.chains import SOLANA
from sidecar.config.read import load_config
from sidecar.errors import ConfigError
from sidecar.http import Origin
from sidecar.money import Usdc
from sidecar.signer.key import InFile, InKeystore, InVariable
from sidecar.signer.rules import Cap, Rules, read_rules
from tests.world.signer_process import rules_of

FOLDER = Path("/var/lib/signer")
PAYEE = "0x2670B922ef37C7Df47158725C0CC407b5382293F"
SOL_PAYEE = "8qUL23aSj7mDWdoLMXGHFvnVCT9wd7jXcysiekroADEL"


def read(**changed: object) -> Rules:
    return read_rules(json.dumps(rules_of(FOLDER, **changed)).encode())


def test_read() -> None:
    """All that the rules say is in the value, and what they leave out is the narrow way."""
    expected = Rules(
        kind="evm",
        key=InFile(FOLDER / "key"),
        journal=FOLDER / "signer.journal",
        networks=frozenset({"eip155:8453"}),
        max_payment=Usdc(100_000),
        pay_to=frozenset({PAYEE.lower()}),
        caps=(
            Cap(timedelta(hours=1), Usdc(1_000_000), 100),
            Cap(timedelta(days=1), Usdc(5_000_000), 1000),
        ),
        permits=False,
        validity_s_max=120,
        sign_in_domains=frozenset(),
        peer_user=None,
    )

    assert expected == read()


def test_read_more() -> None:
    """The rest may be said: Permits, validity, domains, the peer, anyone, other places."""
    rules = read(
        permits=True,
        validity_s_max=300,
        sign_in_domains=["api.seller.example:8443"],
        peer_user=1000,
        key={"keystore": {"file": "/k", "password": {"env": "PASSWORD"}}},
    )
    assert InKeystore(Path("/k"), InVariable("PASSWORD")) == rules.key
    assert (True, 300, 1000) == (rules.permits, rules.validity_s_max, rules.peer_user)
    assert frozenset({"api.seller.example:8443"}) == rules.sign_in_domains
    assert read(pay_to="anyone").pay_to is None
    solana = read(kind="solana", networks=[SOLANA], pay_to=[SOL_PAYEE])
    assert frozenset({SOL_PAYEE}) == solana.pay_to


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown word": ({"max_paymnt": "1.00 USDC"}, "'max_paymnt' is not a word"),
    "no journal": ({"journal": None}, "journal is missing"),
    "another kind": ({"kind": "bitcoin"}, 'kind: it must be "evm"'),
    "a relative path": ({"journal": "journal"}, "journal: it must be an absolute path"),
    "a key in the rules": ({"key": "0x" + "ab" * 32}, "key: write"),
    "two places": ({"key": {"file": "/a", "env": "B"}}, "key: write"),
    "a key's relative path": ({"key": {"file": "a"}}, "key: it must be an absolute path"),
    "a number for an amount": ({"max_payment": 5}, "max_payment: it must be an amount"),
    "an amount without its unit": ({"max_payment": "5"}, "max_payment: not an amount"),
    "nobody to pay": ({"pay_to": []}, "pay_to: name who"),
    "a payee that is none": ({"pay_to": ["me"]}, "pay_to: 'me' is not"),
    "a payee of the other kind": ({"pay_to": [SOL_PAYEE]}, "is not an address"),
    "payees in a text": ({"pay_to": PAYEE}, "pay_to: it must be a list"),
    "payees as numbers": ({"pay_to": [1]}, "pay_to: it must be a list of texts"),
    "a network nobody knows": ({"networks": ["eip155:666"]}, "is none of ours"),
    "a network of the other kind": ({"networks": [SOLANA]}, "is none of ours"),
    "Permits for anyone": ({"pay_to": "anyone", "permits": True}, "permits: a Permit is"),
    "permits as a word": ({"permits": "yes"}, "permits: it must be true or false"),
    "too short": ({"validity_s_max": 59}, "validity_s_max: it must be 60 to 300"),
    "too long": ({"validity_s_max": 301}, "validity_s_max: it must be 60 to 300"),
    "a bool for a number": ({"validity_s_max": True}, "validity_s_max: it must be a whole"),
    "no count": ({"per_hour": {"amount": "1.00 USDC"}}, "per_hour: payments is missing"),
    "a cap that is none": ({"per_day": "1.00 USDC"}, "per_day: it must be an object"),
    "a domain in capitals": ({"sign_in_domains": ["Seller.example"]}, "is not a host"),
    "a domain with a path": ({"sign_in_domains": ["a.example/b"]}, "is not a host"),
    "a user by name": ({"peer_user": "proxy"}, "peer_user: it must be a whole number"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str) -> None:
    """A mistake is named, and no signer starts with it."""
    changed, said = MISTAKES[name]
    with pytest.raises(ConfigError) as caught:
        read(**changed)

    assert said in str(caught.value)
    assert "ab" * 32 not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"kind": "evm", "kind": "evm"}', b"\xff"])
def test_no_rules(data: bytes) -> None:
    """A file that is no JSON object, or says a thing twice, is no rules."""
    with pytest.raises(ConfigError):
        read_rules(data)


def test_example() -> None:
    """The rules that we ship are rules, and sign for what the config beside them pays."""
    folder = Path(__file__).parents[3] / "config"
    rules = read_rules((folder / "signer-rules.example.json").read_bytes())
    config = load_config(folder / "signer.example.yaml", {"HOME": "/home/ann"}, {})
    route = config.routes["venice"]

    assert route.networks <= rules.networks
    assert route.max_payment == rules.max_payment
    assert {Origin.of(route.upstream).host_header} == rules.sign_in_domains
