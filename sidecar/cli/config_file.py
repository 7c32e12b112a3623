"""The config that a command works with: where it is, and what the flags change in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sidecar.config.mistakes import Mistakes
from sidecar.config.model import Config
from sidecar.config.read import (
    VARIABLES,
    examine_config,
    load_config,
    parse_config,
    read_text,
)
from sidecar.errors import ConfigError
from sidecar.values import dataclass

if TYPE_CHECKING:
    import argparse

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
    raise ConfigError(
        f"config: none at {tried}; name one with --config FILE or SIDECAR_CONFIG, or make one "
        "with: sidecar init"
    )


def read_config(args: argparse.Namespace) -> Config:
    """The config, with the flags that this command has."""
    return load_config(find_config(args), os.environ, _overrides(args))


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One file, to be read however often, always with the same flags."""

    path: Path
    overrides: Mapping[str, str]

    def text(self) -> str:
        """What it says now. ConfigError when it cannot be read."""
        return read_text(self.path)

    def parse(self, text: str, environ: Mapping[str, str]) -> Config:
        """What such a text means in this environment. ConfigError with every mistake."""
        return parse_config(text, environ, self.overrides, self.path.absolute().parent)

    def read(self, environ: Mapping[str, str]) -> Config:
        """What it means now."""
        return self.parse(self.text(), environ)


def config_file(args: argparse.Namespace) -> ConfigFile:
    """The file that is meant, with the flags that this command has."""
    return ConfigFile(find_config(args), _overrides(args))


def examine(args: argparse.Namespace) -> tuple[Config | None, Mistakes]:
    """The same as far as it can be read, and all that is wrong with it."""
    return examine_config(find_config(args), os.environ, _overrides(args))


def _overrides(args: argparse.Namespace) -> dict[str, str]:
    flags = {name: getattr(args, name, None) for name in VARIABLES}
    return {name: text for name, text in flags.items() if text is not None}


def has_config(args: argparse.Namespace) -> bool:
    """Whether a config was named, or one is where it is looked for."""
    named = args.config or os.environ.get("SIDECAR_CONFIG")
    return bool(named) or any(place.exists() for place in _places())


def _places() -> tuple[Path, ...]:
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else Path.home() / ".config"
    return Path(NAME), folder / "sidecar" / NAME
