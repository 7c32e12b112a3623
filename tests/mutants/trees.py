"""Copies of the tree, one for each bug that is looked for at the same time.

Only the file with the bug is a copy's own: all others are hard links to one sound tree, for no
test writes to them. A copy is made sound again after a bug and serves the next: to make and to
delete one took longer than what a short test does.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from tests.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("sidecar", "tests", "config", "deploy", "Dockerfile", ".dockerignore", "pyproject.toml")
IGNORED = shutil.ignore_patterns("node_modules", ".hypothesis")


class Trees:
    """The sound tree, and the copies of it that nobody uses now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sound = folder / "sound"
        self._free: SimpleQueue[Path] = SimpleQueue()
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                # With what was compiled of it: a planted bug compiles its file alone.
                shutil.copytree(source, self._sound / name, ignore=IGNORED)
            else:
                shutil.copy2(source, self._sound / name)
        # What is installed for the tests is read, and never written.
        (self._sound / ".world").symlink_to(ROOT / ".world")

    @contextmanager
    def planted(self, mutant: Mutant) -> Iterator[Path | None]:
        """A tree with this bug in it; None where its place is not there exactly once."""
        text = (self._sound / mutant.file).read_text()
        if text.count(mutant.old) != 1:
            yield None
            return
        try:
            tree = self._free.get_nowait()
        except Empty:
            tree = Path(tempfile.mkdtemp(dir=self._folder))
        make_sound(tree, self._sound)
        target = tree / mutant.file
        target.unlink()
        target.write_text(text.replace(mutant.old, mutant.new))
        yield tree
        self._free.put(tree)


@contextmanager
def sound_trees() -> Iterator[Trees]:
    """The tree as it is now, to plant bugs in copies of it."""
    with tempfile.TemporaryDirectory() as folder:
        yield Trees(Path(folder))


def make_sound(tree: Path, sound: Path) -> None:
    """Each file of ``sound`` is in ``tree``, the same one, and nothing else is."""
    missing = {entry.name: entry for entry in os.scandir(sound)}
    for entry in os.scandir(tree):
        original = missing.get(entry.name)
        folder = entry.is_dir(follow_symlinks=False)
        if original is not None and folder and original.is_dir(follow_symlinks=False):
            make_sound(tree / entry.name, sound / entry.name)
            del missing[entry.name]
        elif original is not None and entry.inode() == original.inode():
            del missing[entry.name]
        elif folder:
            shutil.rmtree(entry)
        else:
            os.unlink(entry)
    for original in missing.values():
        if original.is_dir(follow_symlinks=False):
            (tree / original.name).mkdir()
            make_sound(tree / original.name, sound / original.name)
        else:
            os.link(original, tree / original.name, follow_symlinks=False)
