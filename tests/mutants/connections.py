"""Bugs of the connections on both sides of the fast lane: made with little, ended as others are."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BOARDING = "tests/unit/proxy/test_boarding.py"
WAITS = "tests/unit/proxy/test_waits.py"
DIAL = "tests/e2e/test_fast_lane_dial.py"
EDGES = "tests/e2e/test_fast_lane_edges.py"

CONNECTIONS = (
    Mutant(
        "lets a user ask by what another's connection knew",
        "sidecar/proxy/boarding.py",
        "newest is not None and newest.call.user == self.user",
        "newest is not None",
        (f"{BOARDING}::test_asks_as_before[another]",),
    ),
    Mutant(
        "keeps a timer for an app that has hung up",
        "sidecar/proxy/boarding.py",
        "        if self.transport is None:\n            return\n",
        "",
        (f"{BOARDING}::test_gone_leaves_nothing",),
    ),
    Mutant(
        "forgets that the app is slow when the parser comes",
        "sidecar/proxy/connection.py",
        '    "_paused",\n',
        "",
        (f"{BOARDING}::test_parser_keeps_what_was",),
    ),
    Mutant(
        "cuts heads that still have time",
        "sidecar/proxy/waits.py",
        "lambda wait: wait[1] <= now_s",
        "lambda wait: True",
        (f"{WAITS}::test_told_in_time",),
    ),
    Mutant(
        "waits for ever for all heads but the first",
        "sidecar/proxy/waits.py",
        "        if self._ends_s:\n            self._timer",
        "        if not self._ends_s:\n            self._timer",
        (f"{WAITS}::test_told_in_time",),
    ),
    Mutant(
        "connects to the first address only",
        "sidecar/proxy/dial.py",
        "if len(hosts) == 1 else None",
        "if hosts else None",
        (f"{DIAL}::test_connected",),
    ),
    Mutant(
        "dials although a connection was kept",
        "sidecar/proxy/dial.py",
        "if self._is_plain and not kept else None",
        "if self._is_plain else None",
        (f"{DIAL}::test_connected",),
    ),
    Mutant(
        "speaks in the clear to an origin over TLS",
        "sidecar/proxy/dial.py",
        "not target.is_ssl() and target.proxy is None",
        "target.proxy is None",
        (f"{DIAL}::test_out_of_the_ordinary",),
    ),
    Mutant(
        "passes a proxy by",
        "sidecar/proxy/dial.py",
        "not target.is_ssl() and target.proxy is None",
        "not target.is_ssl()",
        (f"{DIAL}::test_out_of_the_ordinary",),
    ),
    Mutant(
        "leaves busy wires open at the end",
        "sidecar/proxy/wires.py",
        "        for wire in tuple(self._all):\n",
        "        for wire in tuple(self.idle):\n",
        (f"{DIAL}::test_end",),
    ),
    Mutant(
        "looks once, and never again",
        "sidecar/proxy/wires.py",
        "        if ends_s < self.looks_s:\n            self.look_at(ends_s)\n",
        "",
        (f"{DIAL}::test_one_timer",),
    ),
    Mutant(
        "ends all waits with the first",
        "sidecar/proxy/wires.py",
        "            if wire.asking is not None and wire.deadline_s <= now_s:\n",
        "            if wire.asking is not None:\n",
        (f"{DIAL}::test_one_timer",),
    ),
    Mutant(
        "uses a wire that was lost as it was made",
        "sidecar/proxy/wires.py",
        "        if wire.transport.is_closing():\n            raise self.dial.unasked()\n",
        "",
        (f"{DIAL}::test_lost_at_once",),
    ),
    Mutant(
        "lets an attempt outlast connect_wait_s",
        "sidecar/proxy/wires.py",
        "asyncio.timeout(min(wait_s, self.dial.wait_s))",
        "asyncio.timeout(wait_s)",
        (f"{DIAL}::test_limits",),
    ),
    Mutant(
        "forgets the wires that it makes",
        "sidecar/proxy/wires.py",
        "        self._all.add(wire)\n",
        "",
        (f"{EDGES}::test_given_back[lane-upstream_is_silent]",),
    ),
    Mutant(
        "sends the first piece alone on a new connection",
        "sidecar/proxy/intake.py",
        "        began.send(whole, body, text)\n",
        "        began.send(self._parts[0], body, text)\n",
        (f"{EDGES}::test_upstream_leaves_while_idle",),
    ),
)
