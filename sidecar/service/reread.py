"""Where a running sidecar's config comes from when it is read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Protocol

from sidecar.clock import Entropy
from sidecar.config.model import Config
from sidecar.config.own_memory import overwrite_variables
from sidecar.config.secrets import secret_variables
from sidecar.logs import Level
from sidecar.service.differences import differences, is_fixed
from sidecar.service.secrets import Opened, reopen
from sidecar.values import dataclass


class Log(Protocol):
    """What the log has to be told of a config."""

    def learn(self, secrets: Iterable[str]) -> None:
        """Keep these out of every line."""
        ...

    def set_level(self, level: Level) -> None:
        """Write lines from this level on."""
        ...


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Reread:
    """The same file, under the same flags and environment.

    ``read`` is given the environment as it was before secrets were taken out of it.
    """

    read: Callable[[Mapping[str, str]], Config]
    environ: MutableMapping[str, str]
    entropy: Entropy
    log: Log

    def again(self, before: Config, opened: Opened) -> tuple[Config, Opened]:
        """What it says now, and what it names. Reads files, for a while.

        ConfigError with every mistake; then nothing has changed.
        """
        config = self.read({**self.environ, **opened.taken})
        overwrite_variables(secret_variables(config))
        stuck = (
            f"{path}: needs a restart; put it back or restart"
            for path in differences(before, config)
            if is_fixed(path)
        )
        renewed = reopen(config, opened, self.environ, self.entropy, stuck)
        # Before any of them is used.
        if renewed.all != opened.all:
            self.log.learn(renewed.all)
        return config, renewed

    def settle(self, config: Config) -> None:
        """This is the config from now on."""
        self.log.set_level(config.log.level)
