"""``sidecar run`` as services start it, read without a parser.

To load one takes half a megabyte, for as long as it serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace


def plain_run(words: Sequence[str]) -> SimpleNamespace | None:
    """What the parser says of ``run`` and of ``run --config FILE``; None of any other words.

    Flags that only change the config are left out (``config_file``)."""
    match words:
        case ["run"]:
            file = None
        # The parser knows what is a flag, and what is wrong with it.
        case ["run", "--config", named] if not named.startswith("-"):
            file = named
        case _:
            return None
    return SimpleNamespace(command="run", config=file, budget=None, receipt=None, words=[])
