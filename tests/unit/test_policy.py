"""The rules of a route for one payment, each by the rule that says no."""

from __future__ import annotations

import pytest

from sidecar.chains import usdc_on
from sidecar.money import Usdc
from sidecar.policy import Allowed, Policy, choose
from sidecar.refusal import Denied
from sidecar.x402.select import Candidate
from sidecar.x402.types import PaymentRequirements

BASE = "eip155:8453"
PAYEE = "0x2670B922ef37C7Df47158725C0CC407b5382293F"
OTHER = "0x" + "11" * 20


def candidate(
    atomic: int = 1000,
    network: str = BASE,
    pay_to: str = PAYEE,
    max_timeout_seconds: int = 300,
) -> Candidate:
    """An offer in USDC."""
    asset = usdc_on(network)
    requirements = PaymentRequirements(
        scheme="exact",
        network=network,
        asset=asset.address,
        amount=str(atomic),
        pay_to=pay_to,
        max_timeout_seconds=max_timeout_seconds,
        extra={},
        original={},
    )
    return Candidate(requirements, asset, Usdc(atomic), position=0)


def policy(
    max_payment: int = 1000,
    networks: frozenset[str] = frozenset({BASE}),
    pay_to: frozenset[str] = frozenset(),
    validity_s_max: int = 120,
) -> Policy:
    """The rules of one route."""
    return Policy(Usdc(max_payment), networks, pay_to, validity_s_max)


def test_allowed() -> None:
    """An offer inside every rule may be paid; a price of exactly the cap is inside."""
    assert Allowed(candidate(), validity_s=120) == policy().check(candidate())


def test_default_validity() -> None:
    """A policy that says nothing about validity gives two minutes."""
    assert 120 == Policy(Usdc(1), frozenset(), frozenset()).validity_s_max


@pytest.mark.parametrize(
    ("rules", "offer", "rule"),
    [
        (policy(), candidate(1001), "max_payment"),
        (policy(), candidate(network="eip155:84532"), "network"),
        (policy(networks=frozenset()), candidate(), "network"),
        (policy(pay_to=frozenset({OTHER})), candidate(), "pay_to"),
        (policy(), candidate(max_timeout_seconds=59), "validity"),
        (policy(), candidate(max_timeout_seconds=0), "validity"),
    ],
)
def test_denied(rules: Policy, offer: Candidate, rule: str) -> None:
    """Each rule says no under its own name, with a sentence for people."""
    result = rules.check(offer)

    assert isinstance(result, Denied)
    assert rule == result.rule
    assert result.detail


def test_pinned_payee() -> None:
    """A pinned payee is paid, however the seller writes the address."""
    rules = policy(pay_to=frozenset({PAYEE.lower()}))

    assert isinstance(rules.check(candidate(pay_to="0x" + PAYEE[2:].upper())), Allowed)


@pytest.mark.parametrize(
    ("seller_s", "ours_s", "validity_s"),
    [(60, 120, 60), (90, 120, 90), (604_900, 120, 120), (2**53, 300, 300), (60, 60, 60)],
)
def test_validity(seller_s: int, ours_s: int, validity_s: int) -> None:
    """An authorization lives as long as the seller asks, but never longer than we say."""
    result = policy(validity_s_max=ours_s).check(candidate(max_timeout_seconds=seller_s))

    assert isinstance(result, Allowed)
    assert validity_s == result.validity_s


@pytest.mark.parametrize("validity_s_max", [59, 301])
def test_illegal_validity(validity_s_max: int) -> None:
    """There is no policy under which an authorization lives less than 60 s or over 300 s."""
    with pytest.raises(ValueError, match="60 s to 300 s"):
        policy(validity_s_max=validity_s_max)


@pytest.mark.parametrize("address", [PAYEE, "0x", "", "0x" + "1" * 40 + "\n"])
def test_illegal_payee(address: str) -> None:
    """There is no policy with a payee that could match nobody."""
    with pytest.raises(ValueError, match="not a lower-cased EVM address"):
        policy(pay_to=frozenset({address}))


def test_cheapest_allowed() -> None:
    """The first offer that the policy allows is chosen, not the first one."""
    cheap, dear = candidate(1, network="eip155:84532"), candidate(2)

    assert Allowed(dear, 120) == choose(((cheap, dear), ()), policy())


def test_none_allowed() -> None:
    """Where none is allowed, the reason is the cheapest one's."""
    offers = (candidate(2000), candidate(3000, network="eip155:84532"))

    assert policy().check(offers[0]) == choose((offers, ()), policy())


def test_none_payable() -> None:
    """Where none can be paid at all, every reason is told."""
    result = choose(((), ("upto on x: a", "exact on y: b")), policy())

    assert Denied("unpayable", "nothing here can be paid: upto on x: a; exact on y: b") == result


def test_nothing_offered() -> None:
    """A challenge without offers is refused as unpayable."""
    result = choose(((), ()), policy())

    assert Denied("unpayable", "nothing here can be paid: the seller names no way to pay") == result
