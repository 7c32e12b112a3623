"""PyYAML's expressions wait until they are used, and nobody else's do."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from sidecar.config.yaml_import import LaterPattern, yaml

# In a process of its own, for here PyYAML may have been imported before.
PROGRAM = """
import re
compiled = re.compile
from sidecar.config.document import read_document
from sidecar.config.mistakes import Mistakes
from sidecar.config.yaml_import import LaterPattern, yaml
assert re.compile is compiled
later = yaml.reader.Reader.NON_PRINTABLE
assert type(later) is LaterPattern
mistakes = Mistakes()
assert read_document("version: 1", mistakes) is not None
print("search" in vars(later))
assert read_document("a: [1\\x07", mistakes) is None
print("search" in vars(later))
"""


def test_import() -> None:
    """What libyaml reads compiles nothing of the other parser; what it refuses does."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )

    expected = ["False", "True"] if yaml.__with_libyaml__ else ["True", "True"]
    assert expected == done.stdout.split()


@pytest.mark.parametrize("text", ["2026-11-22", "1e3", "", "\ud800", "yes", "x" * 9])
def test_pattern(text: str) -> None:
    """A pattern that waits is the pattern, flags and all, each time that it is used."""
    given = r"[0-9]+ | Y e s  # with room", re.VERBOSE | re.IGNORECASE
    later, now = LaterPattern(*given), re.compile(*given)

    for _ in range(2):
        assert str(now.search(text)) == str(later.search(text))
        assert str(now.fullmatch(text)) == str(later.fullmatch(text))
    assert (now.pattern, now.flags, now.groups) == (later.pattern, later.flags, later.groups)


def test_no_such_thing() -> None:
    """What no pattern has, one that waits has not either."""
    with pytest.raises(AttributeError):
        LaterPattern("a").matches  # noqa: B018
