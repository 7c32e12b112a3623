"""PyYAML, imported without compiling the expressions of its own parser.

libyaml reads a config, and PyYAML's parser only what that refused (``document``). Of what takes
time in its import, half is one expression that no text is compared with meanwhile.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["LaterPattern", "yaml"]

_compile = re.compile


class LaterPattern:
    """A regular expression that is compiled when something of it is first asked for."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._given = pattern, flags

    def __getattr__(self, name: str) -> Any:
        """What the expression has by this name, which is kept for the next time."""
        value = getattr(_compile(*self._given), name)
        setattr(self, name, value)
        return value


# Another one in its place, for as long as the import takes.
re.compile = LaterPattern  # type: ignore[assignment]
try:
    import yaml
finally:
    re.compile = _compile
