"""The page on stores: what is beside what, and what a limit is concluded from."""

from __future__ import annotations

from collections import Counter
from itertools import product

from bench.paying import STORES
from bench.stores import KINDS, REPLICAS, Case, Turns, limits, page, table, waits


def found() -> dict[Case, Turns]:
    """Three rounds of each case, the second of them on a machine that was twice as busy."""
    rates = {"sqlite": [400.0, 200.0, 400.0], "postgres": [100.0, 50.0, 120.0]}
    rates["leased"] = [800.0, 200.0, 600.0]
    return {
        Case(*case): Turns(
            rates=rates[case[0]],
            p50_ms=[5.0] * 3,
            client_ms=[4.0] * 3,
            server_ms=[6.0] * 3,
            transactions=[5.0] * 3,
            log_kb=[4.5] * 3,
            cores=[1.5] * 3,
            states=Counter({"Lock: transactionid": 3, "Client: ClientRead": 1}),
        )
        for case in product(STORES, REPLICAS, KINDS)
    }


def test_beside() -> None:
    """A rate is compared with SQLite's of the same round, and the middle one is told."""
    lines = table(found())

    assert "| Postgres | 1 | shared | 100 (50 to 120) | 0.25 |" in "\n".join(lines)
    assert "| Postgres with leases | 4 | own | 600 (200 to 800) | 1.50 |" in "\n".join(lines)


def test_waits() -> None:
    """Of the connections in a transaction each state has its part, the largest first."""
    lines = waits(found())

    assert "| Postgres | 1 | shared | Lock: transactionid 75%, Client: ClientRead 25% |" in lines
    assert not any("SQLite" in line for line in lines)


def test_limits() -> None:
    """The row of the one budget is named with the part of connections that waited for it."""
    told = "\n".join(limits(found()))

    assert "75% of the connections" in told
    assert "A payment is 4.0 ms of it in its replica and 6.0 ms in the server" in told


def test_page() -> None:
    """The page has every case, and what was said of the machine."""
    told = page(found(), ["2 cores"])

    assert "- 2 cores\n" in told
    assert len(found()) == told.count("(50 to 120)") + told.count("(200 to 400)") + told.count(
        "(200 to 800)"
    )
