"""Who may use a Unix socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.clock import SystemEntropy
from sidecar.config.callers import UNMAPPED_UID
from sidecar.config.model import Config
from sidecar.config.read import parse_config
from sidecar.errors import ConfigError
from sidecar.proxy.admission import Caller
from sidecar.service.secrets import known_users, open_all
from sidecar.service.wiring import build_gate
from tests.world.running import write_private

CONFIG = """\
version: 1
listen: {listen}
state_dir: {folder}/state
callers: {callers}
routes:
  openai: {{provider: api_key, upstream: "https://api.openai.com", api_key: {{file: api.key}}}}
"""
TWO = "[{name: one, uid: 1000}, {name: two, uid: 0}]"


def config(
    folder: Path, listen: str = "unix:/run/x402/sidecar.sock", callers: str = "[]"
) -> Config:
    write_private(folder / "api.key", "sk-of-some-length")
    text = CONFIG.format(listen=listen, folder=folder, callers=callers)
    return parse_config(text, {}, {}, folder)


def test_named(tmp_path: Path) -> None:
    """Those whom the config names, and not our own user beside them."""
    assert {1000: Caller("one"), 0: Caller("two")} == known_users(config(tmp_path, callers=TWO), 5)


def test_own(tmp_path: Path) -> None:
    """Without callers our own user, and not root beside it."""
    assert {5: Caller("default")} == known_users(config(tmp_path), 5)


def test_port(tmp_path: Path) -> None:
    """On a TCP port there are none."""
    assert None is known_users(config(tmp_path, listen="127.0.0.1:0"), 5)


def test_own_user_without_a_number(tmp_path: Path) -> None:
    """As a user whom others look like from inside a container, we let in nobody by that."""
    with pytest.raises(ConfigError, match="listen: this user's uid is 65534, which stands for"):
        known_users(config(tmp_path), UNMAPPED_UID)

    assert {1000, 0} == (known_users(config(tmp_path, callers=TWO), UNMAPPED_UID) or {}).keys()


def test_opened(tmp_path: Path) -> None:
    """On a Unix socket no token is made, nobody gets in by one, and users are the callers."""
    settings = config(tmp_path, callers=TWO)
    opened = open_all(settings, {}, SystemEntropy())
    gate = build_gate(settings, opened, 0)

    assert ({}, (Caller("one"), Caller("two"))) == (opened.tokens, opened.callers)
    assert ["admin.token"] == [path.name for path in (tmp_path / "state").iterdir()]
    assert (None, {}, opened.users) == (gate.hosts, gate.tokens, gate.users)
