"""The same hostile sellers before the official SDK's client, beside ours.

Its client has no rules of a route to keep to, only a default cap of one dollar for each payment,
so what it signs is not its fault in every case. Two things are counted, of each client: payments
that the rules of our route do not allow (another chain, over its cap, to nobody, for longer than
five minutes, by another signature than a transfer's), and payments of an offer with two readings
or with words that mean another flow, which we refuse and the SDK passes over.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address

from tests.hostile import cases_solana
from tests.hostile.case import BASE, USDC, Case, Offer
from tests.hostile.cases import CASES
from tests.hostile.judge import VALID_S, allowed_by, violations
from tests.hostile.reading import NOBODY
from tests.hostile.victims import VICTIMS, meet
from tests.hostile.wallets import KEY
from tests.world.processes import WORLD, installed

SCRIPT = Path(__file__).parents[1] / "world/sdk/hostile_client.py"
WAIT_S = 300
# A route that takes any payee, as the SDK does.
OURS = VICTIMS[0]
SLACK_S = 2
# An EVM client has nothing to say about Solana.
ON_EVM = [case for case in CASES if case not in cases_solana.CASES]


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, str | int]]:
    """What the official client made of each case."""
    python = installed(WORLD / "sdk-v2/bin/python")
    lines = [
        json.dumps(
            {
                "name": case.name,
                "headers": case.reply.headers,
                "body": base64.b64encode(case.reply.body).decode(),
            }
        )
        for case in ON_EVM
    ]
    run = subprocess.run(
        [python, SCRIPT],
        input="\n".join(lines),
        env={**os.environ, "CLIENT_KEY": KEY.hex()},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert 0 == run.returncode, run.stderr[-2_000:]
    return {answer["name"]: answer for answer in map(json.loads, run.stdout.splitlines())}


def test_beside_the_official_client(answers: dict[str, dict[str, str | int]]) -> None:
    """Of the same answers, ours pays none that it may not; what the SDK pays is printed."""
    verdicts = {
        case.name: _verdict(case, str(answer["payment"]), int(answer["at"]))
        for case in ON_EVM
        if (answer := answers[case.name])["payment"]
    }
    meetings = {case.name: meet(OURS, case.reply) for case in ON_EVM}
    paid = [name for name, meeting in meetings.items() if meeting.payments]
    wrong = [case.name for case in ON_EVM if violations(OURS, meetings[case.name], case.sound)]
    kinds = Counter(kind for kind, _ in verdicts.values())
    print(
        f"\n{len(ON_EVM)} hostile answers. The official client pays {len(verdicts)}: "
        f"{kinds['rules']} outside of the rules, {kinds['unsound']} unsound. "
        f"Ours pays {len(paid)}: {len(wrong)} outside of the rules or unsound."
    )
    for name, (kind, why) in verdicts.items():
        if kind:
            print(f"  {kind}: {name}: {why}")

    assert [] == wrong
    assert set(answers) == {case.name for case in ON_EVM}
    # Else the comparison was of two clients that never pay.
    assert verdicts
    assert paid


def _verdict(case: Case, header: str, at: int) -> tuple[str, str]:
    """What is wrong with this payment, as "rules" or "unsound", and why; two empty texts if not."""
    document = json.loads(base64.b64decode(header))
    accepted = document.get("accepted", {})
    words = document["payload"].get("authorization")
    if words is None:
        return "rules", f"it signs {sorted(document['payload'])}"
    network = accepted.get("network", document.get("network"))
    if network not in (BASE, "base"):
        return "rules", f"it pays on {network}"
    if str(accepted.get("asset", USDC)).lower() != USDC.lower():
        return "rules", f"it pays in {accepted['asset']}"
    if words["to"].lower() in NOBODY:
        return "rules", f"it pays {words['to']}"
    offer = Offer("exact", BASE, str(to_checksum_address(words["to"])), int(words["value"]))
    if not allowed_by(OURS.rules, offer):
        return "rules", f"it pays {offer.amount / 1e6:g} USDC"
    valid_s = int(words["validBefore"]) - at
    # Its clock and ours are read at two moments.
    if not -SLACK_S <= valid_s - VALID_S.start or valid_s >= VALID_S.stop + SLACK_S:
        return "rules", f"valid for {valid_s} s"
    return ("", "") if offer in case.sound else ("unsound", f"{offer.amount} to {offer.pay_to}")
