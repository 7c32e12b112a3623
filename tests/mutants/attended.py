"""Bugs of what goes on from the lane without the parser: its questions, its answers, its apps."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ASKING = "tests/unit/proxy/test_asking.py"
REPLIES = "tests/unit/proxy/test_replies.py"
LATER = "tests/unit/proxy/test_attended.py"
FLOWS = "tests/e2e/test_fast_lane_attended.py"
AHEAD = "tests/e2e/test_fast_lane_ahead.py"

ATTENDED = (
    Mutant(
        "leaves a wire whose answer is still to come",
        "sidecar/proxy/asking.py",
        "            elif self._answer.cancelled():\n                wire.close()\n",
        "",
        (f"{ASKING}::test_too_late",),
    ),
    Mutant(
        "leaks a connection handed over as its asker gave up",
        "sidecar/proxy/asking.py",
        "                self._connection.close()\n",
        "                pass\n",
        (f"{ASKING}::test_given_up_as_it_comes[half]",),
    ),
    Mutant(
        "reads an answer nobody waits for",
        "sidecar/proxy/asking.py",
        "        if self._answer.done():\n            return\n        reply",
        "        reply",
        (f"{ASKING}::test_too_late",),
    ),
    Mutant(
        "keeps a silent wire",
        "sidecar/proxy/asking.py",
        "            self._wire.close()\n            self._answer.set_exception",
        "            self._answer.set_exception",
        (f"{ASKING}::test_overdue",),
    ),
    Mutant(
        "reads a body after a HEAD",
        "sidecar/proxy/asking.py",
        'None if method == "HEAD" else wires',
        "wires",
        (f"{FLOWS}::test_head",),
    ),
    Mutant(
        "asks again on a wire that its upstream ends",
        "sidecar/proxy/asking.py",
        "    if keeps:\n",
        "    if True:\n",
        (f"{FLOWS}::test_last_answer",),
    ),
    Mutant(
        "takes a head without its end",
        "sidecar/proxy/replies.py",
        "self._offers.get(head) if end else None",
        "self._offers.get(head)",
        (f"{REPLIES}::test_offer_without_end",),
    ),
    Mutant(
        "takes half an offer",
        "sidecar/proxy/replies.py",
        "whole = len(body) == length",
        "whole = True",
        (f"{REPLIES}::test_offer_again",),
    ),
    Mutant(
        "takes half an answer",
        "sidecar/proxy/replies.py",
        " or len(body) != int(cut[2])",
        "",
        (f"{REPLIES}::test_left_to_the_parser",),
    ),
    Mutant(
        "goes round the redirect rule",
        "sidecar/proxy/replies.py",
        " or 300 <= read.status < 400",
        "",
        (f"{REPLIES}::test_left_to_the_parser",),
    ),
    Mutant(
        "keeps a connection without an answer",
        "sidecar/proxy/attended.py",
        "                    if not self.is_answered:\n"
        "                        self.protocol.cut()\n",
        "",
        (f"{LATER}::test_not_answered",),
    ),
    Mutant(
        "keeps the place of an app that left",
        "sidecar/proxy/attended.py",
        "            begun.give_back()\n            return\n",
        "            return\n",
        (f"{LATER}::test_gone_before_it_is_served",),
    ),
    Mutant(
        "serves an app that left",
        "sidecar/proxy/attended.py",
        "        if self._gone:\n",
        "        if False:\n",
        (f"{LATER}::test_gone_before_it_is_served",),
    ),
    Mutant(
        "takes for delivered what is still here",
        "sidecar/proxy/attended.py",
        "        await self._emptied(self._attended.transport, self._attended.protocol)\n",
        "        pass\n",
        (f"{LATER}::test_flushed",),
    ),
    Mutant(
        "never waits for a slow app",
        "sidecar/proxy/attended.py",
        "        if self._attended.protocol.is_paused:\n",
        "        if False:\n",
        (f"{LATER}::test_slow_app",),
    ),
    Mutant(
        "takes for delivered what an app left behind as it was flushed",
        "sidecar/proxy/relay.py",
        "        if protocol.transport is None or transport.is_closing():\n",
        "        if False:\n",
        (f"{LATER}::test_gone_while_it_flushes",),
    ),
    Mutant(
        "leaves for good the lane of who sends ahead",
        "sidecar/proxy/boarding.py",
        "            self._has_whole()\n",
        "            pass\n",
        ("tests/e2e/test_fast_lane_heads.py::test_back_to_the_lane",),
    ),
    Mutant(
        "gives as one piece what an app sent ahead in several",
        "sidecar/proxy/ahead.py",
        "        self.pieces.append(data)\n",
        "        self.pieces.append(self.pieces.pop() + data if self.pieces else data)\n",
        (f"{AHEAD}::test_in_front_of_garbage[lane]",),
    ),
    Mutant(
        "keeps the rest of a body that an app sent ahead in pieces",
        "sidecar/proxy/boarding.py",
        "            if passing is not None and not passing.more(data):\n",
        "            if passing is not None:\n",
        (f"{AHEAD}::test_in_pieces[lane]",),
    ),
    Mutant(
        "lets what is behind a request end it before it is handled",
        "sidecar/proxy/boarding.py",
        "        self._begun = begun\n        self._give_parser(head)\n",
        "        self._give_parser(head)\n        if self._ahead is not None:\n"
        "            self._go_on()\n        self._begun = begun\n",
        (f"{AHEAD}::test_ended_by_what_is_behind",),
    ),
    Mutant(
        "reads on for who sends ahead in small pieces",
        "sidecar/proxy/ahead.py",
        " or len(self.pieces) > PIECES_MAX",
        "",
        ("tests/unit/proxy/test_boarding.py::test_many_pieces_ahead",),
    ),
    Mutant(
        "answers what was sent ahead before what the parser has",
        "sidecar/proxy/boarding.py",
        "        if data and self._given_bytes:\n",
        "        if self._given_bytes:\n",
        (f"{AHEAD}::test_behind_the_parser[lane]",),
    ),
)
