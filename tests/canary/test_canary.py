"""The canary: a day of the real sidecar with marked secrets, and then none of them anywhere.

Searched byte for byte, in six encodings: the log, what every command printed, answers of both
ports, the ledger with its write-ahead log and every other file, what each upstream was sent, and
what the system shows of every process. A secret that an upstream is to get is expected there
only. What an upstream says of its own credential in a body that is relayed is its own word.
SIDECAR_CANARY_LONG=1 runs more commands.
"""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.canary.day import spend_a_day
from tests.canary.drive import Haul
from tests.canary.needles import Find, Search

PLACES = {
    "log": r"file output\.log",
    "files": r"file (?!output\.log)",
    "answers": r"answer to ",
    "commands": r"commands",
    "wires": r"wire to ",
    "processes": r".*: (cmdline|environ)$",
}


@pytest.fixture(scope="module")
def haul(tmp_path_factory: pytest.TempPathFactory) -> Haul:
    """What came out of the day."""
    return asyncio.run(spend_a_day(tmp_path_factory.mktemp("day")))


@pytest.fixture(scope="module")
def search(haul: Haul) -> Search:
    """For all secrets, those that were made on the way too."""
    return Search(haul.secrets)


@pytest.mark.parametrize("place", PLACES)
def test_no_secret(haul: Haul, search: Search, place: str) -> None:
    """No secret is anywhere but where it belongs."""
    hays = [hay for hay in haul.hays if re.match(PLACES[place], hay.place)]
    found: list[Find] = []
    for hay in hays:
        found += search.finds(hay)
    size = sum(len(hay.data) for hay in hays)
    print(f"{place}: {len(hays)} places, {size} bytes, {search.needles} needles")

    assert [] == [f"{find.place}: {find.secret}, {find.form}" for find in found]
    assert hays


def test_everything_was_searched(haul: Haul) -> None:
    """Nothing came out at a place that no search goes to."""
    assert [] == [
        hay.place
        for hay in haul.hays
        if not any(re.match(place, hay.place) for place in PLACES.values())
    ]


def test_no_core(haul: Haul) -> None:
    """No process may leave a core file, and none may be read by others of its user."""
    assert {("0", "0")} == set(haul.cores.values()), haul.cores
    assert "dumpable 0\n" == haul.report
