"""Bugs of what a paid call knows from the one before, and of who writes down how it ended."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

REPLIES = "tests/unit/proxy/test_replies.py"
OUTGOING = "tests/unit/proxy/test_outgoing.py"
ORDER = "tests/unit/payments/test_order.py"
ATTENDED = "tests/unit/proxy/test_attended.py"

KNOWN_AGAIN = (
    Mutant(
        "takes half an answer that is like the last one",
        "sidecar/proxy/replies.py",
        "        if len(body) != length or len(data) - length > HEAD_BYTES_MAX:\n",
        "        if len(data) - length > HEAD_BYTES_MAX:\n",
        (f"{REPLIES}::test_like_the_last",),
    ),
    Mutant(
        "takes any head that is like the last one",
        "sidecar/proxy/replies.py",
        " or len(data) - length > HEAD_BYTES_MAX:\n",
        ":\n",
        (f"{REPLIES}::test_like_the_last",),
    ),
    Mutant(
        "answers every offer with the last one",
        "sidecar/proxy/replies.py",
        "if offer is not None and offer[0] == data:",
        "if offer is not None and offer[0][:60] == data[:60]:",
        (f"{REPLIES}::test_offer_again",),
    ),
    Mutant(
        "puts a value in the place of another",
        "sidecar/proxy/replies.py",
        "return [value for _, value in sorted(values)]",
        "return [value for _, value in values]",
        (f"{REPLIES}::test_varying_in_another_order",),
    ),
    Mutant(
        "sends what was begun for other headers",
        "sidecar/proxy/outgoing.py",
        "            and self.headers == request.headers[: len(self.headers)]\n",
        "",
        (
            f"{OUTGOING}::test_begun_otherwise",
            f"{OUTGOING}::test_in_place_of_ours",
        ),
    ),
    Mutant(
        "sends what was begun elsewhere",
        "sidecar/proxy/outgoing.py",
        "            and self.url == request.url\n",
        "",
        (f"{OUTGOING}::test_begun_otherwise",),
    ),
    Mutant(
        "pays by the policy of another route",
        "sidecar/payments/order.py",
        "chosen is None or chosen[0] is not self.policy",
        "chosen is None",
        (f"{ORDER}::test_each_route_by_its_policy",),
    ),
    Mutant(
        "pays what was chosen of other terms",
        "sidecar/x402/types.py",
        "    chosen: Any = field(default=None, init=False, ",
        "    chosen: Any = field(default=None, ",
        (f"{ORDER}::test_other_terms",),
    ),
    Mutant(
        "records nothing of an answer whose app hung up on the lane",
        "sidecar/proxy/attended.py",
        "            finally:\n"
        "                if self._last is not None:\n"
        "                    await self._last\n",
        "            finally:\n"
        "                pass\n"
        "        if self._last is not None:\n"
        "            await self._last\n",
        (
            f"{ATTENDED}::test_at_last",
            f"{ATTENDED}::test_at_last_without_app",
        ),
    ),
    Mutant(
        "keeps the lane until its payment is recorded",
        "sidecar/proxy/delivery.py",
        '            turn.request.at_last("delivery", work)\n',
        '            self._tasks.spawn("delivery", work)\n',
        ("tests/unit/proxy/test_delivery.py::test_recorded_on_the_lane",),
    ),
    Mutant(
        "names two callers' calls alike",
        "sidecar/proxy/outcomes.py",
        '_parts("call", caller, route, method, url)',
        '_parts("call", route, method, url)',
        ("tests/unit/proxy/test_outcomes.py::test_other_call_other_purchase",),
    ),
    Mutant(
        "reads a document up to its first end",
        "sidecar/document.py",
        "    if end != len(text):\n",
        "    if end < 0:\n",
        ("tests/unit/test_document.py::test_not_one_reading",),
    ),
)
