"""What the system shows of a process and of its children: arguments, environment, limits."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Self

from tests.canary.needles import Haystack

LOOK_EVERY_S = 0.003
_CORE = re.compile(r"Max core file size +(\S+) +(\S+) ")


class Watch:
    """Looks at a process and its children, again and again, until it is closed."""

    def __init__(self, pid: int, name: str) -> None:
        self._pid, self._name = pid, name
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._seen: dict[tuple[str, bytes], bytes] = {}
        # Until then it has not had the time to overwrite what it was started with.
        self.serves = False
        # Of the last look: the soft and the hard limit of core files, by process.
        self.cores: dict[str, tuple[str, str]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def hays(self) -> list[Haystack]:
        """Everything that was seen, each thing once."""
        return [Haystack(place, data) for (place, _), data in self._seen.items()]

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self._one(self._pid, self._name)
            for child in _children(self._pid):
                self._one(child, f"child of {self._name}")

    def _one(self, pid: int, name: str) -> None:
        folder = Path(f"/proc/{pid}")
        try:
            command = (folder / "cmdline").read_bytes()
            # Which program of Python's it is. Before exec a child is its parent's copy.
            module = command.replace(b"\0", b" ").partition(b"-m ")[2].split(b" ")[0].decode()
            core = _CORE.search((folder / "limits").read_text())
        except OSError:
            return
        place = f"{name}, {module}" if module else name
        if core is not None:
            self.cores[place] = (core[1], core[2])
        self._seen[(f"{place}: cmdline", command)] = command
        if pid == self._pid and not self.serves:
            return
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            return
        self._seen[(f"{place}: environ", environment)] = environment


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except OSError:
        pass
    return found
