"""What differs between two configs, and what of it a running sidecar cannot take over."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from sidecar.config.model import Config, Limits, LogConfig, RecoveryConfig
from sidecar.config.read import parse_config
from sidecar.service.differences import FIXED, differences, is_fixed
from tests.world.running import config_text

MORE = """\
  other:
    provider: api_key
    upstream: http://127.0.0.1:3
    api_key: {file: none}
    prices: {m: {input: "1", output: "2"}}
"""


def read(folder: Path, *changes: tuple[str, str]) -> Config:
    text = config_text(folder, "http://127.0.0.1:1", rpc="http://127.0.0.1:2") + MORE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_config(text, {}, {}, folder)


def test_none(tmp_path: Path) -> None:
    """The same file, read twice, differs in nothing."""
    assert () == differences(read(tmp_path), read(tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ("127.0.0.1:0\nadmin", "127.0.0.1:7\nadmin", ["listen"]),
        ("ledger.db", "other.db", ["ledger"]),
        ("state_dir:", "mode: shadow\nstate_dir:", ["ledger", "mode"]),
        ("log: {level: error}", "log: {level: debug}", ["log.level"]),
        ("  other:", "  another:", ["routes.another", "routes.other"]),
        ('input: "1"', 'input: "3"', ["routes.other"]),
        ("5.00 USDC", "6.00 USDC", ["routes.seller", "budgets.day"]),
        ("http://127.0.0.1:2", "http://127.0.0.1:4", ["chains.eip155:84532"]),
        ("app.token", "two.token", ["callers.app"]),
        (
            "  main: {",
            "  main: {kind: evm, key: {env: K}}\n  two: {",
            ["wallets.main", "wallets.two"],
        ),
        ("interval_s: 1", "interval_s: 2, undelivered_ttl_s: 5", None),
    ],
)
def test_paths(tmp_path: Path, old: str, new: str, paths: list[str] | None) -> None:
    """Each setting is named by its path, and each thing by its name."""
    expected = paths or ["recovery.interval_s", "recovery.undelivered_ttl_s"]

    assert expected == [*differences(read(tmp_path), read(tmp_path, (old, new)))]


def test_fixed_paths_exist() -> None:
    """What needs a restart is named as the config names it."""
    sections = {"limits": Limits, "log": LogConfig, "recovery": RecoveryConfig}
    known = {field.name for field in fields(Config)}
    for name, section in sections.items():
        assert is_dataclass(section)
        known |= {f"{name}.{field.name}" for field in fields(section)}

    assert FIXED <= known


def test_is_fixed() -> None:
    """A part of what is fixed is fixed; what only shares its beginning is not."""
    assert is_fixed("wallets.main")
    assert is_fixed("limits.keepalive_s")
    assert not is_fixed("limits.body_idle_s")
    assert not is_fixed("log.level")
