"""The budgets, and the lists of names that draw from them."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.config.fields import Field, check_name, show
from sidecar.config.mistakes import closest
from sidecar.ledger.model import Budget, Window
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class Budgets:
    """Those that can be used, and every name that was given: a wrong budget still exists."""

    by_name: Mapping[str, Budget]
    names: frozenset[str]

    def pick(self, field: Field) -> tuple[Budget, ...]:
        """The budgets that a route or caller names, each once."""
        picked: dict[str, Budget] = {}
        seen: set[str] = set()
        for item in field.items():
            name = item.text(fix="name a budget")
            if not name:
                continue
            if name in seen:
                item.mistake(f"{show(name)} is named twice", "name it once")
            elif name not in self.names:
                item.mistake(f"there is no budget {show(name)}", closest(name, self.names))
            elif name in self.by_name:
                picked[name] = self.by_name[name]
            seen.add(name)
        return tuple(picked.values())


def read_budgets(field: Field) -> Budgets:
    """Every budget in the list."""
    budgets: dict[str, Budget] = {}
    names: set[str] = set()
    for item in field.items():
        section = item.section(("name", "limit", "window"))
        name_field = section.at("name").required("give the budget a name")
        name = name_field.text(fix="give the budget a name")
        limit = section.at("limit").required('write it like "5.00 USDC"').amount()
        windows = ", ".join(window.value for window in Window)
        window_field = section.at("window").required(f"use one of: {windows}")
        window = window_field.choice(tuple(Window), Window.TOTAL)
        if not name:
            continue
        check_name(name, name_field)
        if name in names:
            name_field.mistake(f"{show(name)} is used twice", "give each budget its own name")
        names.add(name)
        if limit is not None:
            budgets[name] = Budget(name, limit, window)
    return Budgets(budgets, frozenset(names))
