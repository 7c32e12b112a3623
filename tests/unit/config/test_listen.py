"""A Unix socket to listen on, and the users who are known there."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from sidecar.config.addresses import SocketPath
from sidecar.config.callers import UNMAPPED_UID
from sidecar.config.model import CallerConfig
from tests.unit.config.configs import changed, mistakes_in, parsed

UNIX = {"listen": "unix:/run/x402/sidecar.sock"}
SOCKET_FIX = 'write it like "unix:/run/x402/sidecar.sock"'
BUDGETS = parsed(changed("hosts", to=[])).callers["aider"].budgets


def known_by(**keys: object) -> str:
    """The base config, its one caller known by these."""
    return changed("callers", 0, to={"name": "aider", "budgets": ["day"], **keys})


def test_users() -> None:
    """On a Unix socket a caller is known by a uid, or by the name of a user, and needs no token."""
    first = pwd.getpwall()[0]
    by_number = parsed(known_by(uid=1000), overrides=UNIX)
    by_name = parsed(known_by(uid=first.pw_name), overrides=UNIX)

    assert SocketPath(Path("/run/x402/sidecar.sock")) == by_number.listen
    assert "unix:/run/x402/sidecar.sock" == str(by_number.listen)
    assert {"aider": CallerConfig("aider", None, BUDGETS, 1000)} == by_number.callers
    assert first.pw_uid == by_name.callers["aider"].uid


def test_home() -> None:
    """~ is the home folder."""
    config = parsed(changed("callers", to=[]), overrides={"listen": "unix:~/x402/sock"})

    assert "unix:/home/ann/x402/sock" == str(config.listen)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("unix:sock", f"not an absolute path: 'unix:sock'; {SOCKET_FIX}"),
        ("unix:", f"not an absolute path: 'unix:'; {SOCKET_FIX}"),
        ("unix:/run/a\nb", f"not an absolute path: 'unix:/run/a\\nb'; {SOCKET_FIX}"),
        ("unix:/", f"not the path of a file: 'unix:/'; {SOCKET_FIX}"),
        (f"unix:/{'a' * 96}", "a path of over 96 bytes; choose a shorter one"),
    ],
)
def test_no_socket(written: str, message: str) -> None:
    """What is no socket's path is a mistake, and nothing else is taken for one."""
    found = mistakes_in(changed("callers", to=[]), overrides={"listen": written})

    assert (f"--listen: {message}",) == found


def test_admin_stays_tcp() -> None:
    """The admin port is no Unix socket."""
    found = mistakes_in(changed("admin", to="unix:/run/x402/admin.sock"))

    assert [True] == [mistake.startswith("admin: not an address: ") for mistake in found]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"token": {"file": "t"}},
            "callers[0].token: on a Unix socket the kernel names the caller, and no token is "
            "looked at; write the uid of its user instead, or listen on HOST:PORT",
        ),
        (
            {"token": {"file": "t"}, "uid": 1000},
            "callers[0].token: on a Unix socket the kernel names the caller, and no token is "
            "looked at; write the uid of its user instead, or listen on HOST:PORT",
        ),
        (
            {},
            "callers[0].uid: missing; write the number or the name of the user that the app "
            "runs as",
        ),
        (
            {"uid": "no-such-user"},
            "callers[0].uid: there is no user 'no-such-user' on this machine; write a number "
            "without quotes, or the name of a user",
        ),
        (
            {"uid": "a\0b"},
            "callers[0].uid: there is no user 'a\\x00b' on this machine; write a number "
            "without quotes, or the name of a user",
        ),
        (
            {"uid": -1},
            "callers[0].uid: out of range: -1; use a whole number from 0 to 4294967294",
        ),
        (
            {"uid": True},
            "callers[0].uid: not a whole number; use a whole number from 0 to 4294967294",
        ),
        (
            {"uid": UNMAPPED_UID},
            "callers[0].uid: 65534 stands for every user that has no number here; run the app "
            "as another user",
        ),
    ],
)
def test_mistakes_on_a_socket(keys: dict[str, object], message: str) -> None:
    """On a Unix socket each caller has a user of this machine, and no token."""
    assert (message,) == mistakes_in(known_by(**keys), overrides=UNIX)


@pytest.mark.parametrize("keys", [{"uid": 1000}, {"uid": 1000, "token": {"file": "t"}}])
def test_uid_on_a_port(keys: dict[str, object]) -> None:
    """On a TCP port a uid is a mistake: nobody could be known by it."""
    message = (
        "callers[0].uid: a TCP port does not tell which user connects; "
        "write token: {file: PATH} instead, or listen: unix:/PATH"
    )

    assert (message,) == mistakes_in(known_by(**keys))


def test_one_user_for_two() -> None:
    """Two callers cannot be one user."""
    callers = [{"name": "one", "uid": 1000}, {"name": "two", "uid": 1000}]
    message = "callers[1].uid: caller one has the same one; give each caller a user of its own"

    assert (message,) == mistakes_in(changed("callers", to=callers), overrides=UNIX)


def test_auth_none() -> None:
    """Nobody can be made anonymous where the kernel knows who connects."""
    message = (
        "auth: none would let every user in, and a Unix socket knows who connects; "
        "remove it, and name the users under callers"
    )
    text = changed("auth", to="none")

    assert message in mistakes_in(text, overrides=UNIX)


def test_known_by_one_thing() -> None:
    """A caller that is known by nothing, or by two things, does not exist."""
    with pytest.raises(ValueError, match="a token or by a uid"):
        CallerConfig("app", None)
