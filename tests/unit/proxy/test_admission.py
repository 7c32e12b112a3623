"""Who may ask, and for what."""

from __future__ import annotations

import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest

from sidecar.http import Headers
from sidecar.proxy.admission import TARGET_CHARS_MAX, Caller, Gate
from sidecar.proxy.answers import Answer

HOST = ("Host", "127.0.0.1:8402")
TOKEN = ("Authorization", "Bearer sk-app")
APP = Caller("app")
GATE = Gate(frozenset({"127.0.0.1:8402", "localhost:8402"}), {"sk-app": APP})


def admit(
    *headers: tuple[str, str], method: str = "POST", target: str = "/v1/chat/completions"
) -> Caller | Answer:
    return GATE.admit(method, target, headers)


def refused(outcome: Caller | Answer) -> tuple[int, str]:
    assert isinstance(outcome, Answer)
    assert outcome.retry is False
    return outcome.status, outcome.rule


@pytest.mark.parametrize(
    "shown",
    [
        ("Authorization", "Bearer sk-app"),
        ("authorization", "bearer  sk-app"),
        ("x-api-key", "sk-app"),
        ("api-key", "sk-app"),
    ],
)
def test_token(shown: tuple[str, str]) -> None:
    """An app shows its token where it would show an API key."""
    assert APP == admit(HOST, shown)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("Authorization", "Bearer sk-other"),),
        (("Authorization", "Basic sk-app"),),
        (("x-api-key", ""),),
        (("Authorization", "Bearer sk-app\u00ff"),),
    ],
)
def test_no_token(headers: Headers) -> None:
    """Without a token of ours nobody is let in."""
    assert (401, "token") == refused(admit(HOST, *headers))


def test_bearer_rules() -> None:
    """A wrong bearer token is not mended by a right one elsewhere."""
    outcome = admit(HOST, ("Authorization", "Bearer nope"), ("x-api-key", "sk-app"))

    assert (401, "token") == refused(outcome)


def test_whose_token() -> None:
    """Of many callers each is known by its own token, and by no part of it."""
    gate = Gate(GATE.hosts, {f"sk-{n:03d}": Caller(f"app {n}") for n in range(300)})
    shown = ("sk-000", "sk-157", "sk-299", "sk-300", "sk-15", "sk-1577")
    outcomes = [gate.admit("GET", "/v1/models", (HOST, ("api-key", each))) for each in shown]

    assert ["app 0", "app 157", "app 299", None, None, None] == [
        each.name if isinstance(each, Caller) else None for each in outcomes
    ]


def work_of(gate: Gate, token: str) -> Counter[str]:
    """What is called, and how often, while a request that shows this token is let in or not."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, what: str, function: Any) -> None:
        if what in {"call", "c_call"}:
            calls[frame.f_code.co_name if what == "call" else function.__name__] += 1

    sys.setprofile(count)
    try:
        gate.admit("POST", "/v1/chat", (HOST, ("Authorization", f"Bearer {token}")))
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("shown", ["sk-0", "sk-strange"])
def test_many_callers(shown: str) -> None:
    """A request is let in by as much work for a thousand callers as for one: one digest of what
    was shown, and one comparison at most."""
    few, many = (
        Gate(GATE.hosts, {f"sk-{n}": Caller(f"app {n}") for n in range(size)})
        for size in (1, 1_000)
    )
    work = work_of(many, shown)

    assert work_of(few, shown) == work
    assert 1 == work["digest"]
    assert (shown == "sk-0") == work["compare_digest"]


def test_tokens_off() -> None:
    """Where the config turned tokens off, everybody is the anonymous caller."""
    open_gate = Gate(GATE.hosts, None)

    assert Caller("anonymous") == open_gate.admit("GET", "/v1/models", (HOST,))


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        (("Host", "evil.example:8402"),),
        (("Host", "127.0.0.1"),),
        (("Host", "127.0.0.1:9402"),),
        (HOST, HOST),
    ],
)
def test_host(hosts: Headers) -> None:
    """Exactly one Host, and ours with its port: a rebound name is refused."""
    assert (403, "host") == refused(admit(*hosts, TOKEN))


@pytest.mark.parametrize(
    "header",
    [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ],
)
def test_web_pages(header: tuple[str, str]) -> None:
    """A web page of another site is refused, token or not."""
    assert (403, "origin") == refused(admit(HOST, TOKEN, header))


@pytest.mark.parametrize(
    "header",
    [
        ("Origin", "http://127.0.0.1:8402"),
        ("Sec-Fetch-Site", "none"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Mode", "cors"),
    ],
)
def test_own_origin(header: tuple[str, str]) -> None:
    """What comes from our own origin, or from no page at all, is let in."""
    assert APP == admit(HOST, TOKEN, header)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "BREW", "get"])
def test_methods(method: str) -> None:
    """Only ordinary methods are relayed."""
    assert (405, "method") == refused(admit(HOST, TOKEN, method=method))


@pytest.mark.parametrize(
    "target",
    [
        "http://evil.example/v1",
        "//evil.example/v1",
        "*",
        "/v1//chat",
        "/v1/../admin",
        "/v1/%2e%2E/admin",
        "/v1/.",
        "/v1/..",
        "/v1%2fchat",
        "/v1%5Cchat",
        "/v1\\chat",
        "/v1#x",
        "/v1 x",
        "/v1\x01",
        "/v1/%00",
        "/v\u00e9",
    ],
)
def test_targets(target: str) -> None:
    """A target is a plain path: nothing that another parser could read as something else."""
    assert (400, "target") == refused(admit(HOST, TOKEN, target=target))


@pytest.mark.parametrize(
    "target", ["/", "/v1/models/a.b..c", "/v1/x?next=//y/../z%2f", "/v1/models/~a!$&'()*+,;=:@"]
)
def test_plain_targets(target: str) -> None:
    """Ordinary paths pass, and a query may hold anything printable."""
    assert APP == admit(HOST, TOKEN, target=target)


def test_long_target() -> None:
    """A target has a length limit."""
    assert (414, "target") == refused(admit(HOST, TOKEN, target="/" + "a" * TARGET_CHARS_MAX))


USER = 1000
SOCKET_GATE = Gate(None, {}, users={USER: APP})
ANY_HOST = ("Host", "localhost")


def test_user() -> None:
    """On a Unix socket the user is the caller; what is shown as a token is not looked at."""
    shown: list[Headers] = [(), (TOKEN,), (("Authorization", "Bearer sk-other"),)]

    assert [APP] * 3 == [
        SOCKET_GATE.admit("POST", "/v1/chat", (ANY_HOST, *headers), USER) for headers in shown
    ]


@pytest.mark.parametrize("user", [None, 0, 1001])
def test_stranger(user: int | None) -> None:
    """A user who is no caller is refused, root too, before anything of the request is judged."""
    outcome = SOCKET_GATE.admit("BREW", "//evil.example", (TOKEN,), user)

    assert (403, "user") == refused(outcome)
    assert isinstance(outcome, Answer)
    assert outcome.closes


def test_users_on_a_port() -> None:
    """On a TCP port no user is known, and the token decides."""
    assert APP == GATE.admit("POST", "/v1/chat", (HOST, TOKEN), None)
    assert (401, "token") == refused(GATE.admit("POST", "/v1/chat", (HOST,), USER))


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1:8402", "[::1]:8402", "EVIL.example", "%2Frun%2Fx402%2Fsidecar.sock"],
)
def test_any_host(host: str) -> None:
    """On a Unix socket any one name will do: no name leads there."""
    assert APP == SOCKET_GATE.admit("GET", "/v1/models", (("Host", host),), USER)


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        (ANY_HOST, ANY_HOST),
        (("Host", ""),),
        (("Host", "a b"),),
        (("Host", "a@b"),),
        (("Host", "a/b"),),
        (("Host", "a:b"),),
        (("Host", "a,b"),),
    ],
)
def test_no_host(hosts: Headers) -> None:
    """What is not exactly one well-formed Host is refused there, too."""
    assert (403, "host") == refused(SOCKET_GATE.admit("GET", "/v1/models", hosts, USER))


@pytest.mark.parametrize(
    "header", [("Origin", "http://localhost"), ("Sec-Fetch-Site", "cross-site")]
)
def test_web_pages_on_a_socket(header: tuple[str, str]) -> None:
    """A web page that a local server passes on is refused, as on a port."""
    assert (403, "origin") == refused(
        SOCKET_GATE.admit("GET", "/v1/models", (ANY_HOST, header), USER)
    )


def test_named_hosts_on_a_socket() -> None:
    """Where the config names hosts they hold on a Unix socket as well."""
    gate = Gate(frozenset({"sidecar.internal"}), {}, users={USER: APP})
    named = (("Host", "sidecar.internal"), ("Origin", "http://sidecar.internal"))

    assert APP == gate.admit("GET", "/v1/models", named, USER)
    assert (403, "host") == refused(gate.admit("GET", "/v1/models", (ANY_HOST,), USER))
