"""A real Prometheus, a real sidecar, and a seller that stops delivering.

The rules are those that are shipped, in a hurry: every duration in them is divided by the same
number, so that what takes a quarter of an hour shows in seconds.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.deploy.stage import Stage, staged
from tests.world.processes import wait_until
from tests.world.prometheus import RULES, hurried

DIVISOR = 120
# Of the rules' own time: longer than the longest `for:` of them.
QUIET_S = 16 * 60 / DIVISOR
LOST = 6


def serve(stage: Stage, for_s: float) -> int:
    """Calls of every route, for so long; how many were paid for one by one."""
    ends_at, paid = time.monotonic() + for_s, 0
    while time.monotonic() < ends_at:
        assert (200, 200, 200, 200) == (
            stage.chat("seller"),
            stage.chat("venice"),
            stage.chat("venice-key"),
            stage.models("openai"),
        )
        paid += 1
        time.sleep(0.1)
    return paid


def test_a_seller_stops_delivering(tmp_path: Path) -> None:
    """While all is well nothing fires; a seller that takes money for nothing raises one alert."""
    posted = 'sum(sidecar_payments_total{route="seller", outcome="posted"})'
    with staged(tmp_path, hurried(RULES.read_text(), DIVISOR)) as stage:
        watch = stage.prometheus
        paid = serve(stage, QUIET_S)
        wait_until(lambda: paid == watch.number(posted), "all that was paid is scraped")

        assert set() == watch.has_fired()

        settled = stage.settled()
        stage.misbehave("upfront_500", 1_000)

        assert [502] * LOST == [stage.chat("seller") for _ in range(LOST)]
        # The seller's own count of what it took.
        assert LOST == stage.settled() - settled

        undelivered = 'sum(sidecar_undelivered_total{route="seller"})'
        wait_until(lambda: LOST == watch.number(undelivered), "the losses are scraped")
        wait_until(lambda: bool(watch.has_fired()), "an alert fires")
        told = [each for each in watch.alerts() if each["state"] == "firing"]
        stage.behave()
        serve(stage, QUIET_S)

        assert {"PaidButNotDelivered"} == watch.has_fired()
        assert [("seller", "critical")] == [
            (each["labels"]["route"], each["labels"]["severity"]) for each in told
        ]
        assert "The seller behind seller takes payments" in told[0]["annotations"]["summary"]
