"""What a transaction did to an owner's tokens, and that only exact answers count."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.errors import RemoteProtocolError
from sidecar.rpc import solana
from tests.world.exchanges import answered, hold

URL = "https://rpc.example/secret-key"
OURS: dict[str, Any] = {"owner": "us", "mint": "usdc", "uiTokenAmount": {"amount": "100"}}


def change(before: object, after: object) -> int:
    answer = answered({"meta": {"preTokenBalances": before, "postTokenBalances": after}})
    return hold(solana.token_change(URL, "5" * 88, "us", "usdc", "confirmed"), lambda _: answer)


def holding(amount: str, **changes: Any) -> dict[str, Any]:
    return {**OURS, "uiTokenAmount": {"amount": amount}, **changes}


def test_change() -> None:
    """All that the owner holds of the mint, in however many accounts, before and after."""
    others = [holding("5", owner="them"), holding("9", mint="other")]

    assert -30 == change([holding("100"), holding("20"), *others], [holding("90"), *others])
    assert 7 == change([], [holding("7")])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, []),
        ([], "many"),
        ([{"owner": "us"}], []),
        ([holding("-1")], []),
        ([], [holding("1e9")]),
        ([], [{**OURS, "uiTokenAmount": {"amount": 5}}]),
        ([], [17]),
    ],
)
def test_garbage(before: object, after: object) -> None:
    """Anything else is a fault: a sum with a part left out would accuse somebody."""
    with pytest.raises(RemoteProtocolError):
        change(before, after)
