"""``sidecar.payments.credentials``: what is kept, what is made anew, and for whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from sidecar.errors import RemoteProtocolError
from sidecar.http import HttpRequest, HttpResponse
from sidecar.payments.credentials import SCOPES_MAX, Credentials
from sidecar.payments.events import Event, SignedIn
from sidecar.providers.base import Credential, Occasion
from tests.world.fakes import NOON, FakeClock, FakeEntropy
from tests.world.seller import FakeReply

ORIGIN = "https://vendor.example"
HOUR = timedelta(hours=1)
REFUSAL = HttpResponse(401)


@dataclass
class Office:
    """A vendor that gives out tickets, and the port to it."""

    life: timedelta | None = HOUR
    single_use: bool = False
    failing: bool = False
    signed: list[Occasion] = field(default_factory=list)

    def sign_in(self, occasion: Occasion) -> Generator[HttpRequest, HttpResponse, Credential]:
        self.signed.append(occasion)
        header = ("Authorization", f"ticket {len(self.signed)}")
        response = yield HttpRequest("POST", f"{ORIGIN}/auth")
        if response.status != 200:
            raise RemoteProtocolError("no ticket today")
        expires_at = None if self.life is None else occasion.at + self.life
        return Credential((header,), expires_at, self.single_use)

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> FakeReply:
        await asyncio.sleep(0)
        return FakeReply(503 if self.failing else 200, (), b"")


@dataclass
class Hall:
    """A route's credentials, and what was told of them."""

    office: Office = field(default_factory=Office)
    clock: FakeClock = field(default_factory=FakeClock)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        ports = (self.clock, FakeEntropy(), self.events.append)
        self.credentials = Credentials("vendor", self.office, self.office, ports)

    async def ticket(self, url: str = "") -> str:
        return (await self.credentials.get(url)).headers[0][1]


@pytest.fixture
def hall() -> Hall:
    return Hall()


async def test_kept(hall: Hall) -> None:
    """A credential is used until it expires, and then another is made."""
    seen = [await hall.ticket(), await hall.ticket()]
    hall.clock.advance(3600)
    seen.append(await hall.ticket())

    assert ["ticket 1", "ticket 1", "ticket 2"] == seen


async def test_shared(hall: Hall) -> None:
    """A hundred that come at once share one sign-in."""
    seen = await asyncio.gather(*(hall.ticket() for _ in range(100)))

    assert {"ticket 1"} == set(seen)


@pytest.mark.parametrize("life", [HOUR, None], ids=["an hour", "no end"])
async def test_single_use(hall: Hall, life: timedelta | None) -> None:
    """Where a sign-in lets one request in, each gets its own, with its own nonce."""
    hall.office.single_use, hall.office.life = True, life

    seen = await asyncio.gather(*(hall.ticket() for _ in range(50)))
    later = await hall.ticket()

    assert 51 == len({*seen, later})
    assert 51 == len({occasion.nonce for occasion in hall.office.signed})


async def test_static(hall: Hall) -> None:
    """What never expires is made once, and is not told of as a sign-in."""
    hall.office.life = None
    await hall.ticket()
    hall.clock.advance(10_000_000)

    assert "ticket 1" == await hall.ticket()
    assert [] == hall.events


async def test_renewed_once(hall: Hall) -> None:
    """However many were refused with one credential, one renewal replaces it."""
    refused = await hall.credentials.get()

    renewed = await asyncio.gather(*(hall.credentials.renew(refused, REFUSAL) for _ in range(20)))

    assert {"ticket 2"} == {credential.headers[0][1] for credential in renewed}


async def test_renewed_single_use(hall: Hall) -> None:
    """A refused sign-in that was for one request is replaced for that request alone."""
    hall.office.single_use = True
    refused = [await hall.credentials.get() for _ in range(3)]

    renewed = await asyncio.gather(*(hall.credentials.renew(each, REFUSAL) for each in refused))

    assert 3 == len({credential.headers for credential in renewed})


async def test_failed(hall: Hall) -> None:
    """A sign-in that fails is told of, and the next request tries again."""
    hall.office.failing = True
    with pytest.raises(RemoteProtocolError, match="no ticket"):
        await hall.ticket()
    hall.office.failing = False
    await hall.ticket()

    assert [SignedIn("vendor", "failed"), SignedIn("vendor", "ok")] == hall.events


async def test_hung_up(hall: Hall) -> None:
    """An app that leaves during the sign-in does not take it from those who wait."""
    first = asyncio.ensure_future(hall.ticket())
    second = asyncio.ensure_future(hall.ticket())
    await asyncio.sleep(0)
    first.cancel()

    assert "ticket 2" == await second


async def test_remembered(hall: Hall) -> None:
    """What was let in at a path is used there again, whatever the query, until it expires."""
    proof = Credential((("SIGN-IN-WITH-X", "proof"),), NOON + timedelta(minutes=4))
    hall.credentials.remember(f"{ORIGIN}/v1/paid?page=1", proof)
    seen = [await hall.ticket(f"{ORIGIN}/v1/paid?page=2"), await hall.ticket(f"{ORIGIN}/v1/else")]
    hall.clock.advance(240)
    seen.append(await hall.ticket(f"{ORIGIN}/v1/paid"))

    assert ["proof", "ticket 1", "ticket 1"] == seen


@pytest.mark.parametrize(
    "proof", [Credential((), None), Credential((), NOON + HOUR, single_use=True)]
)
async def test_not_remembered(hall: Hall, proof: Credential) -> None:
    """What serves one request, or has no end, is not kept for a path."""
    hall.credentials.remember(f"{ORIGIN}/v1/paid", proof)

    assert "ticket 1" == await hall.ticket(f"{ORIGIN}/v1/paid")


async def test_bounded(hall: Hall) -> None:
    """The oldest path is forgotten when there are too many."""
    proof = Credential((("SIGN-IN-WITH-X", "proof"),), NOON + HOUR)
    for number in range(SCOPES_MAX + 1):
        hall.credentials.remember(f"{ORIGIN}/{number}", proof)

    assert "ticket 1" == await hall.ticket(f"{ORIGIN}/0")
    assert "proof" == await hall.ticket(f"{ORIGIN}/1")


@pytest.mark.parametrize(
    ("date", "lag_s"),
    [
        ("Sat, 21 Nov 2026 12:01:00 GMT", 60),
        ("Sat, 21 Nov 2026 11:58:00 GMT", -120),
        ("Sat, 21 Nov 2026 12:00:03 GMT", 0),
        ("Sat, 21 Nov 2026 13:00:00 GMT", 0),
        ("Sat, 21 Nov 2026 12:01:00 -0000", 0),
        ("noon", 0),
        ("", 0),
    ],
)
async def test_clock(hall: Hall, date: str, lag_s: int) -> None:
    """After a refusal the next sign-ins are dated by the vendor's clock, within reason."""
    refused = await hall.credentials.get()
    headers = (("Date", date),) if date else ()
    await hall.credentials.renew(refused, HttpResponse(401, headers))

    assert NOON + timedelta(seconds=lag_s) == hall.office.signed[-1].at
    assert NOON + timedelta(seconds=lag_s) == hall.credentials.occasion().at


async def test_two_dates(hall: Hall) -> None:
    """Which of two dates is the vendor's cannot be told."""
    refused = await hall.credentials.get()
    dates = (("Date", "Sat, 21 Nov 2026 12:01:00 GMT"), ("Date", "Sat, 21 Nov 2026 12:02:00 GMT"))
    await hall.credentials.renew(refused, HttpResponse(401, dates))

    assert NOON == hall.office.signed[-1].at
