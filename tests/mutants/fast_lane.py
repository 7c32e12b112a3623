"""Bugs of the fast lane: what it takes, sends, relays, hands over, keeps and gives back."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

EDGES = "tests/e2e/test_fast_lane_edges.py"
WIRES = "tests/e2e/test_fast_lane_wires.py"
FLOW = "tests/e2e/test_fast_lane_flow.py"
IDLE = "tests/e2e/test_idle_connections.py"
PAID = "tests/e2e/test_fast_lane.py"
TRANSCRIPTS = "tests/differential/test_transcripts.py"

FAST_LANE = (
    Mutant(
        "keeps the place of a caller whose request is over",
        "sidecar/proxy/express.py",
        "        self._under_way[call.caller.name] -= 1\n",
        "",
        (f"{EDGES}::test_given_back[lane-served]",),
    ),
    Mutant(
        "keeps the replay memory of an answer that is being relayed",
        "sidecar/proxy/passage.py",
        "        self._express.forget_body(self._length)\n",
        "",
        (f"{EDGES}::test_given_back[lane-app_leaves_relaying]",),
    ),
    Mutant(
        "gives the replay memory back twice",
        "sidecar/proxy/passage.py",
        "        self._express.forget_body(self._length)\n"
        '        self._came, self._length = b"", 0\n',
        '        self._express.forget_body(self._length)\n        self._came = b""\n',
        (f"{EDGES}::test_given_back_once",),
    ),
    Mutant(
        "keeps what an app that left in its body had taken",
        "sidecar/proxy/intake.py",
        "        self._stop_waiting()\n"
        "        self._express.forget(self._asked.call, self._length)\n"
        "        request_id",
        "        self._stop_waiting()\n        request_id",
        (f"{EDGES}::test_given_back[lane-app_leaves_collecting]",),
    ),
    Mutant(
        "takes requests of a caller at its limit",
        "sidecar/proxy/express.py",
        "if under_way >= self._caller_requests_max or length",
        "if length",
        (f"{EDGES}::test_refused_at_the_limit",),
    ),
    Mutant(
        "sends the credential of before",
        "sidecar/proxy/express.py",
        "if dress is None or dress.answers.credential is not credential:",
        "if dress is None:",
        (f"{WIRES}::test_credential_changes[lane]",),
    ),
    Mutant(
        "lets the credential come back",
        "sidecar/proxy/calls.py",
        "secrets = (*route.secrets, *credential_secrets(credential.headers))",
        "secrets = route.secrets",
        (f"{WIRES}::test_credential_changes[lane]",),
    ),
    Mutant(
        "relays a 402 unpaid",
        "sidecar/proxy/relayed.py",
        "_NOT_ORDINARY = frozenset({204, 205, 304, 401, 402})",
        "_NOT_ORDINARY = frozenset({204, 205, 304, 401})",
        (f"{PAID}::test_paid_once[true]",),
    ),
    Mutant(
        "relays a 401 of a vendor that is signed in to",
        "sidecar/proxy/relayed.py",
        "_NOT_ORDINARY = frozenset({204, 205, 304, 401, 402})",
        "_NOT_ORDINARY = frozenset({204, 205, 304, 402})",
        (f"{WIRES}::test_credential_changes[lane]",),
    ),
    Mutant(
        "counts a body's bytes one short",
        "sidecar/proxy/bodies.py",
        "        left = self._left = self._left - len(data)\n",
        "        left = self._left = self._left - len(data) - 1\n",
        (f"{FLOW}::test_slow_reader[lane]",),
    ),
    Mutant(
        "keeps a connection that said more than it was asked",
        "sidecar/proxy/passage.py",
        "relayed.keeps and not body.excess",
        "relayed.keeps",
        (f"{TRANSCRIPTS}::test_bytes_behind_an_answer[lane]",),
    ),
    Mutant(
        "relays what is behind an answer",
        "sidecar/proxy/passage.py",
        "            if body.excess:\n",
        "            if False:\n",
        (f"{TRANSCRIPTS}::test_garbage_behind_an_answer[lane]",),
    ),
    Mutant(
        "keeps a connection that its upstream closes",
        "sidecar/proxy/heads.py",
        'return AnswerHead(int(match[1]), chunked, said.connection != "close")',
        "return AnswerHead(int(match[1]), chunked, True)",
        (f"{WIRES}::test_given_up[close]",),
    ),
    Mutant(
        "keeps a connection on which something came unasked",
        "sidecar/proxy/wires.py",
        "        if asking is None:\n            self.close()\n",
        "        if asking is None:\n            pass\n",
        (f"{TRANSCRIPTS}::test_unsolicited_answer[later-lane]",),
    ),
    Mutant(
        "keeps idle connections for ever",
        "sidecar/proxy/wires.py",
        "            self._sweeper = self._loop.call_later(IDLE_S, self._sweep)\n\n    def forget",
        "            pass\n\n    def forget",
        (f"{WIRES}::test_swept",),
    ),
    Mutant(
        "declines without what came first",
        "sidecar/proxy/intake.py",
        "        self._connection.decline(self._parts)\n",
        "        self._connection.decline(self._parts[1:])\n",
        (f"{WIRES}::test_slow_body",),
    ),
    Mutant(
        "hands over without the body",
        "sidecar/proxy/passage.py",
        "            self._came[len(self._came) - length :],\n",
        '            b"",\n',
        (f"{WIRES}::test_credential_changes[lane]",),
    ),
    Mutant(
        "goes on for an app that has hung up",
        "sidecar/proxy/boarding.py",
        "        if passing is not None:\n            passing.app_gone()\n",
        "",
        (f"{EDGES}::test_given_back[lane-app_leaves_waiting]",),
    ),
    Mutant(
        "ends a cut answer as if it were whole",
        "sidecar/proxy/passage.py",
        "        self._connection.cut()\n",
        "",
        (f"{EDGES}::test_given_back[lane-upstream_leaves_relaying]",),
    ),
    Mutant(
        "reads on for an app that does not",
        "sidecar/proxy/passage.py",
        "            self._wire.transport.pause_reading()\n",
        "            pass\n",
        (f"{FLOW}::test_slow_reader[lane]",),
    ),
    Mutant(
        "takes an app's pause for the upstream's silence",
        "sidecar/proxy/passage.py",
        '            self._wire.expect(float("inf"))\n',
        "            pass\n",
        (f"{FLOW}::test_slow_reader[lane]",),
    ),
    Mutant(
        "keeps all that an app sends ahead",
        "sidecar/proxy/boarding.py",
        "            self.transport.pause_reading()\n",
        "            pass\n",
        (f"{FLOW}::test_slow_upstream",),
    ),
    Mutant(
        "waits for a silent upstream for ever",
        "sidecar/proxy/wires.py",
        "                wire.asking.overdue()\n",
        "                pass\n",
        (f"{EDGES}::test_given_back[lane-upstream_is_silent]",),
    ),
    Mutant(
        "takes RTSP behind a body for HTTP",
        "sidecar/proxy/framing.py",
        "return _RTSP.search(text) is None and not behind",
        "return _RTSP.search(text) is None",
        ("tests/unit/proxy/test_framing.py::test_rtsp_behind_a_body",),
    ),
    Mutant(
        "keeps idle connections for ever that the parser never saw",
        "sidecar/proxy/connection.py",
        "        if self._task_handler is None and self._keepalive_handle is None:\n",
        "        if self._task_handler is None and self._keepalive_handle is not None:\n",
        (f"{IDLE}::test_ends[lane]",),
    ),
    Mutant(
        "waits at the end for idle connections that the parser never saw",
        "sidecar/proxy/connection.py",
        "        super().close()\n        if self._task_handler is None:\n            self.force_close()\n",
        "        super().close()\n",
        (f"{FLOW}::test_graceful_stop",),
    ),
    Mutant(
        "ends without those that are on the lane",
        "sidecar/proxy/boarding.py",
        "            self._start()\n",
        "",
        (f"{FLOW}::test_graceful_stop",),
    ),
    Mutant(
        "makes a task for each connection",
        "sidecar/proxy/connection.py",
        "        refused = self._server.take_in(self)\n",
        "        refused = self._server.take_in(self)\n        self._start()\n",
        (f"{IDLE}::test_no_task",),
    ),
    Mutant(
        "does not ask after apps that are silent",
        "sidecar/proxy/listener.py",
        "            each.setsockopt(*_KEEP_ALIVE)\n",
        "            pass\n",
        (f"{IDLE}::test_noticed_when_gone[opened here]",),
    ),
    Mutant(
        "puts a wire back that is not read from",
        "sidecar/proxy/passage.py",
        "            if is_paused:\n                wire.transport.resume_reading()\n",
        "",
        (f"{FLOW}::test_last_piece_is_too_much",),
    ),
)
