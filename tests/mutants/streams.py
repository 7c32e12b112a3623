"""Bugs that hold back, gather or stop the events of a stream."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PACED = "tests/e2e/test_paced_streams.py::test_each_by_itself"
MANY = "tests/e2e/test_paced_streams_many.py"

STREAMS = (
    Mutant(
        "gathers an event before it passes it on",
        "sidecar/proxy/delivery.py",
        "            await response.write(chunk)\n",
        '            held = locals().get("held", b"") + chunk\n'
        '            if held.endswith(b"\\n\\n"):\n'
        "                await response.write(held)\n"
        '                held = b""\n',
        (f"{PACED}[keyed, ordinary way-events cut in two]",),
    ),
    Mutant(
        "reads what a stream cost before it passes it on",
        "sidecar/proxy/delivery.py",
        "            await response.write(chunk)\n"
        "            if tail is not None:\n"
        "                tail.feed(chunk)\n",
        "            if tail is None:\n"
        "                await response.write(chunk)\n"
        "                continue\n"
        "            tail.feed(chunk)\n"
        '            if b"[DONE]" in chunk:\n'
        "                await response.write(bytes(tail._kept))\n",
        (f"{PACED}[priced, fast lane-chunked]",),
    ),
    Mutant(
        "holds a stream's head until its first event",
        "sidecar/proxy/relay.py",
        "            writer.enable_chunking()\n",
        "            writer.enable_chunking()\n"
        "            self._send_headers_immediately = False\n",
        (f"{PACED}[paid, ordinary way-chunked]",),
    ),
    Mutant(
        "holds a stream's head on the lane until its first event",
        "sidecar/proxy/passage.py",
        "        if rest or relayed.chunked:\n",
        "        if rest:\n",
        (f"{PACED}[keyed, fast lane-chunked]",),
    ),
    Mutant(
        "gathers an event on the lane before it passes it on",
        "sidecar/proxy/passage.py",
        "            self._connection.write(self._head + piece if self._head else piece)\n"
        '            self._head = b""\n',
        "            self._head += piece\n"
        '            if self._head.endswith(b"\\n\\r\\n"):\n'
        "                self._connection.write(self._head)\n"
        '                self._head = b""\n',
        (f"{PACED}[secure, fast lane-events cut in two]",),
    ),
    Mutant(
        "has a hundred connections for all streams",
        "sidecar/proxy/pool.py",
        "TCPConnector(limit=0, ",
        "TCPConnector(limit=100, ",
        (f"{MANY}::test_500_open[keyed, ordinary way]",),
    ),
    Mutant(
        "reads on for an app that does not",
        "sidecar/proxy/passage.py",
        "            self._wire.transport.pause_reading()\n",
        "",
        (f"{MANY}::test_stalled_reader[keyed, fast lane]",),
    ),
)
