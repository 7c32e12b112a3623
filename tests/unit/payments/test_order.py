"""What a route may pay of what a seller asks."""

from __future__ import annotations

from dataclasses import replace

from sidecar.money import Usdc
from sidecar.policy import Allowed
from sidecar.refusal import Denied
from tests.unit.payments.test_intents import OFFER, REQUIRED, ROUTE


def test_each_route_by_its_policy() -> None:
    """A challenge that another route chose from is judged by this route's own policy."""
    strict = replace(ROUTE, policy=replace(ROUTE.policy, max_payment=Usdc(6)))
    required = replace(REQUIRED)
    first, second, third = (route.choose(required) for route in (ROUTE, strict, ROUTE))

    assert isinstance(first, Allowed)
    assert isinstance(second, Denied)
    assert "max_payment" == second.rule
    assert first == third


def test_chosen_once() -> None:
    """What was chosen of a challenge is the same when it comes again."""
    required = replace(REQUIRED)

    first = ROUTE.choose(required)
    assert first is ROUTE.choose(required)


def test_other_terms() -> None:
    """What was chosen of some terms says nothing of others that were made of them."""
    required = replace(REQUIRED)
    ROUTE.choose(required)
    dearer = replace(required, accepts=(replace(OFFER, amount="11"),))

    assert isinstance(ROUTE.choose(dearer), Denied)
