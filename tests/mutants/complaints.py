"""Bugs that users of such proxies complain about, and those of a proxy in front of the seller."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

COMPLAINTS_TESTS = "tests/e2e/test_complaints.py"
STOCK = "tests/e2e/test_stock_client.py"
TUNNELS = "tests/unit/service/test_tunnels.py"

COMPLAINTS = (
    Mutant(
        "takes a completed response for cut",
        "sidecar/proxy/relay.py",
        "    return ended or any(",
        "    return any(",
        (f"{STOCK}::test_finished_response",),
    ),
    Mutant(
        "takes a begun response for completed",
        "sidecar/proxy/relay.py",
        'b"event: response.completed\\n"',
        'b"event: response."',
        (f"{STOCK}::test_unfinished_response",),
    ),
    Mutant(
        "unpacks an answer and keeps its length",
        "sidecar/proxy/upstream.py",
        "            auto_decompress=False,\n",
        "            auto_decompress=True,\n",
        (f"{COMPLAINTS_TESTS}::test_gzip[ordinary way]",),
    ),
    Mutant(
        "goes on for an app that has gone",
        "sidecar/proxy/server.py",
        "handler_cancellation=True",
        "handler_cancellation=False",
        (f"{COMPLAINTS_TESTS}::test_gone_before_the_price",),
    ),
    Mutant(
        "cuts an answer that takes longer than a wait",
        "sidecar/proxy/delivery.py",
        "                await self._pass_on(turn, response, reply, tail)\n",
        "                async with asyncio.timeout(route.response_wait_s):\n"
        "                    await self._pass_on(turn, response, reply, tail)\n",
        (f"{COMPLAINTS_TESTS}::test_long_stream",),
    ),
    Mutant(
        "does without the proxy that everything has to go through",
        "sidecar/service/service.py",
        "Pool(self._tasks, ports.proxy_for)",
        "Pool(self._tasks)",
        ("tests/e2e/test_https_proxy.py::test_reached",),
    ),
    Mutant(
        "tells the proxy's password with its faults",
        "sidecar/proxy/upstream.py",
        "proxy=through.with_user(None), proxy_auth=login",
        "proxy=through",
        ("tests/e2e/test_https_proxy.py::test_refused",),
    ),
    Mutant(
        "sends what is said to this machine to the proxy",
        "sidecar/service/tunnels.py",
        ' or origin.scheme != "https" or is_loopback(origin.host)',
        ' or origin.scheme != "https"',
        (f"{TUNNELS}::test_proxy_for",),
    ),
    Mutant(
        "does not care what NO_PROXY names",
        "sidecar/service/tunnels.py",
        '{"no": exempt}',
        "{}",
        (f"{TUNNELS}::test_proxy_for",),
    ),
    Mutant(
        "keeps the memory of an aborted upload",
        "sidecar/proxy/body.py",
        "        if not done:\n            memory.give_back(taken)\n",
        "        if not done:\n            memory.give_back(0)\n",
        (f"{COMPLAINTS_TESTS}::test_aborted_uploads[kept body]",),
    ),
)
