"""The memory that large bodies pass through."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# In a process of its own, for what was freed before decides. So many pieces are held at once at
# most: as many as are being written to a file, and as many that are gathered meanwhile.
PIECES = """
import resource
from sidecar.proxy.heap import keep_freed

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        pieces = [b"x" * 200_000 + b"%d" % number for number in range(15)]
        del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = faults()
keep_freed()
first = faults()
print(before, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's heap")
def test_freed_memory_is_used_again() -> None:
    """Pieces that come and go take no memory from the system once they were here."""
    done = subprocess.run(
        [sys.executable, "-c", PIECES], check=True, capture_output=True, text=True, timeout=60
    )
    before, after = map(int, done.stdout.split())

    assert 0 <= after < 100 < before
