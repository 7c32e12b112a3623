"""The config that a command works with: where it is, and what the flags change in it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from sidecar.config.model import Config
from sidecar.config.read import VARIABLES, load_config
from sidecar.errors import ConfigError

NAME = "sidecar.yaml"


def find_config(args: argparse.Namespace) -> Path:
    """The file that is meant. ConfigError says where it was looked for."""
    named = args.config or os.environ.get("SIDECAR_CONFIG")
    if named:
        return Path(named)
    places = _places()
    for place in places:
        if place.exists():
            return place
    tried = " and ".join(str(place) for place in places)
    raise ConfigError(f"config: none at {tried}; name one with --config FILE or SIDECAR_CONFIG")


def read_config(args: argparse.Namespace) -> Config:
    """The config, with the flags that this command has."""
    flags = {name: getattr(args, name, None) for name in VARIABLES}
    overrides = {name: text for name, text in flags.items() if text is not None}
    return load_config(find_config(args), os.environ, overrides)


def has_config(args: argparse.Namespace) -> bool:
    """Whether a config was named, or one is where it is looked for."""
    named = args.config or os.environ.get("SIDECAR_CONFIG")
    return bool(named) or any(place.exists() for place in _places())


def _places() -> tuple[Path, ...]:
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else Path.home() / ".config"
    return Path(NAME), folder / "sidecar" / NAME
