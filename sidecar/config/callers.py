"""The local apps that have budgets of their own, known by a token or by the user they run as."""

from __future__ import annotations

import pwd

from sidecar.config.budgets import Budgets
from sidecar.config.fields import Field, Section, check_name, show
from sidecar.config.model import CallerConfig
from sidecar.config.secret_ref import Places, read_secret_ref

UID_MAX = 2**32 - 2
# The kernel's word for every user whom this user namespace has no number for.
UNMAPPED_UID = 65534


def read_callers(
    field: Field, places: Places, budgets: Budgets, *, on_socket: bool = False
) -> dict[str, CallerConfig]:
    """Every caller by its name; on a Unix socket each has a uid, and on a TCP port a token."""
    callers: dict[str, CallerConfig] = {}
    names: set[str] = set()
    users: dict[int, str] = {}
    for item in field.items():
        section = item.section(("name", "token", "uid", "budgets"))
        name_field = section.at("name").required("give the caller a name")
        name = name_field.text(fix="give the caller a name")
        _check_kind(section, on_socket=on_socket)
        token = read_secret_ref(section.at("token"), places)
        uid = _read_uid(section.at("uid"))
        drawn = budgets.pick(section.at("budgets"))
        if not name:
            continue
        check_name(name, name_field)
        if name in names:
            name_field.mistake(f"{show(name)} is used twice", "give each caller its own name")
        names.add(name)
        if uid is not None and users.setdefault(uid, name) != name:
            section.at("uid").mistake(
                f"caller {users[uid]} has the same one", "give each caller a user of its own"
            )
        if (token is None) != (uid is None):
            callers[name] = CallerConfig(name, token, drawn, uid)
    return callers


def _check_kind(section: Section, *, on_socket: bool) -> None:
    token, uid = section.at("token"), section.at("uid")
    if on_socket and token.is_given:
        token.mistake(
            "on a Unix socket the kernel names the caller, and no token is looked at",
            "write the uid of its user instead, or listen on HOST:PORT",
        )
    elif on_socket:
        uid.required("write the number or the name of the user that the app runs as")
    elif uid.is_given:
        uid.mistake(
            "a TCP port does not tell which user connects",
            "write token: {file: PATH} instead, or listen: unix:/PATH",
        )
    else:
        token.required("write {file: PATH} or {env: NAME}")


def _read_uid(field: Field) -> int | None:
    """A user by number or by name; None, with a mistake noted, when it is none."""
    if field.entry is None:
        return None
    name = field.entry.value
    if isinstance(name, str):
        try:
            uid = pwd.getpwnam(name).pw_uid
        except (KeyError, ValueError):
            fix = "write a number without quotes, or the name of a user"
            field.mistake(f"there is no user {show(name)} on this machine", fix)
            return None
    else:
        uid = field.integer(-1, 0, UID_MAX)
    if uid == UNMAPPED_UID:
        field.mistake(
            f"{uid} stands for every user that has no number here", "run the app as another user"
        )
        return None
    return None if uid < 0 else uid
