"""The local apps that have a token and budgets of their own."""

from __future__ import annotations

from sidecar.config.budgets import Budgets
from sidecar.config.fields import Field, check_name, show
from sidecar.config.model import CallerConfig
from sidecar.config.secret_ref import Places, read_secret_ref


def read_callers(field: Field, places: Places, budgets: Budgets) -> dict[str, CallerConfig]:
    """Every caller by its name."""
    callers: dict[str, CallerConfig] = {}
    names: set[str] = set()
    for item in field.items():
        section = item.section(("name", "token", "budgets"))
        name_field = section.at("name").required("give the caller a name")
        name = name_field.text(fix="give the caller a name")
        token_field = section.at("token").required("write {file: PATH} or {env: NAME}")
        token = read_secret_ref(token_field, places)
        drawn = budgets.pick(section.at("budgets"))
        if not name:
            continue
        check_name(name, name_field)
        if name in names:
            name_field.mistake(f"{show(name)} is used twice", "give each caller its own name")
        names.add(name)
        if token is not None:
            callers[name] = CallerConfig(name, token, drawn)
    return callers
