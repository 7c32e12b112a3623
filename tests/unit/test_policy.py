"""The rules of a route for one payment, each by the rule that says no."""

from __future__ import annotations

import pytest

from sidecar.chains import SOLANA, usdc_on
from sidecar.money import Usdc
from sidecar.policy import Allowed, Policy, choose
from sidecar.refusal import Denied
from sidecar.x402.select import Candidate
from sidecar.x402.types import PaymentRequirements

BASE = "eip155:8453"
PAYEE = "0x2670B922ef37C7Df47158725C0CC407b5382293F"
OTHER = "0x" + "11" * 20
SOLANA_PAYEE = "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF"
EXACT = frozenset({"exact"})
UPTO = frozenset({"upto"})


def candidate(
    atomic: int = 1000,
    network: str = BASE,
    pay_to: str = PAYEE,
    max_timeout_seconds: int = 300,
    scheme: str = "exact",
    extra: dict[str, str] | None = None,
) -> Candidate:
    """An offer in USDC."""
    asset = usdc_on(network)
    requirements = PaymentRequirements(
        scheme=scheme,
        network=network,
        asset=asset.address,
        amount=str(atomic),
        pay_to=pay_to,
        max_timeout_seconds=max_timeout_seconds,
        extra=extra or {},
        original={},
    )
    return Candidate(requirements, asset, Usdc(atomic), position=0)


def policy(
    max_payment: int = 1000,
    networks: frozenset[str] = frozenset({BASE}),
    pay_to: frozenset[str] = frozenset(),
    validity_s_max: int = 120,
    schemes: frozenset[str] = EXACT,
) -> Policy:
    """The rules of one route."""
    return Policy(Usdc(max_payment), networks, pay_to, validity_s_max, schemes)


def test_allowed() -> None:
    """An offer inside every rule may be paid; a price of exactly the cap is inside."""
    assert Allowed(candidate(), validity_s=120) == policy().check(candidate())


def test_defaults() -> None:
    """A policy that says no more gives two minutes, and pays exact amounts only."""
    silent = Policy(Usdc(1), frozenset(), frozenset())

    assert (120, frozenset({"exact"})) == (silent.validity_s_max, silent.schemes)


@pytest.mark.parametrize(
    ("schemes", "scheme"), [(EXACT, "exact"), (UPTO, "upto"), (EXACT | UPTO, "upto")]
)
def test_schemes(schemes: frozenset[str], scheme: str) -> None:
    """A route pays by the schemes that it allows."""
    offer = candidate(scheme=scheme)

    assert Allowed(offer, 120) == policy(schemes=schemes).check(offer)


@pytest.mark.parametrize(
    ("rules", "offer", "rule"),
    [
        (policy(), candidate(1001), "max_payment"),
        (policy(), candidate(network="eip155:84532"), "network"),
        (policy(networks=frozenset()), candidate(), "network"),
        (policy(), candidate(scheme="upto"), "scheme"),
        (policy(schemes=UPTO), candidate(), "scheme"),
        (policy(schemes=frozenset()), candidate(), "scheme"),
        (policy(pay_to=frozenset({OTHER})), candidate(), "pay_to"),
        (policy(pay_to=frozenset({OTHER})), candidate(extra={"recipientAddress": OTHER}), "pay_to"),
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


@pytest.mark.parametrize(("pay_to", "allowed"), [(SOLANA_PAYEE, True), ("1" * 32, False)])
def test_pinned_on_solana(pay_to: str, allowed: bool) -> None:
    """On Solana a pinned payee is paid, and nobody else."""
    rules = policy(
        networks=frozenset({SOLANA}), pay_to=frozenset({SOLANA_PAYEE, OTHER, PAYEE.lower()})
    )

    assert allowed == isinstance(rules.check(candidate(network=SOLANA, pay_to=pay_to)), Allowed)


def test_solana_cases_differ() -> None:
    """A pin on Solana says one address: the same letters in other cases are another one."""
    one = "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi"
    other = "4Vj9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi"
    rules = policy(networks=frozenset({SOLANA}), pay_to=frozenset({one}))

    assert isinstance(rules.check(candidate(network=SOLANA, pay_to=one)), Allowed)
    assert isinstance(rules.check(candidate(network=SOLANA, pay_to=other)), Denied)


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


@pytest.mark.parametrize(
    "address", [PAYEE, "0x", "", "0x" + "1" * 40 + "\n", SOLANA_PAYEE.upper(), SOLANA_PAYEE[:-1]]
)
def test_illegal_payee(address: str) -> None:
    """There is no policy with a payee that could match nobody."""
    with pytest.raises(ValueError, match="not a lower-cased EVM address, nor a Solana one"):
        policy(pay_to=frozenset({address}))


def test_illegal_scheme() -> None:
    """There is no policy that allows what is not paid at all."""
    with pytest.raises(ValueError, match=r"not schemes that we pay by: \['batch', 'deferred'\]"):
        policy(schemes=frozenset({"exact", "deferred", "batch"}))


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
