"""Programs that refuse to run as root: where the tests are root, they run as nobody.

They end with the thread that started them, however it ends: the kernel sends them a signal. A
process that is killed leaves none of them behind; only their folder stays.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.world.processes import WORLD, installed

# Debian's nobody. It needs a name there, too: initdb asks for it.
NOBODY = 65_534


# A server that is flushed at every commit is mostly waited for where its files are on a disk. None
# of the tests takes the machine's power away: what is flushed to memory is all that they look at.
MEMORY = Path("/dev/shm")
MEMORY_MIN = 4 * 2**30


@contextmanager
def own_folder(name: str) -> Iterator[Path]:
    """A folder that such a program may write in: pytest's are for root's eyes only."""
    folder = Path(tempfile.mkdtemp(prefix=f"sidecar-{name}-", dir=_where()))
    try:
        give(folder)
        yield folder
    finally:
        shutil.rmtree(folder)


def _where() -> Path:
    """In memory, where there is much of it and programs may be run from there."""
    if not MEMORY.is_dir():
        return Path("/tmp")
    state = os.statvfs(MEMORY)
    roomy = state.f_bavail * state.f_frsize >= MEMORY_MIN
    return MEMORY if roomy and not state.f_flag & os.ST_NOEXEC else Path("/tmp")


def give(path: Path) -> None:
    """Make it theirs, which is ours where the tests are not root."""
    if _is_root():
        os.chown(path, NOBODY, NOBODY)


def unprivileged(
    command: Sequence[str | Path], folder: Path, at_our_end: signal.Signals = signal.SIGKILL
) -> list[str | Path]:
    """The command that runs this one in the folder, never as root."""
    change: list[str | Path] = ["setpriv", "--pdeathsig", at_our_end.name.removeprefix("SIG")]
    if _is_root():
        change += ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
    return [*change, "env", f"--chdir={folder}", *command]


def unpacked(name: str, folder: Path) -> Path:
    """What install.sh unpacked under this name, where such a program may read it.

    The repository may be in root's home, which is closed to others: then it is copied.
    """
    tree = installed(WORLD / name)
    if not _is_root() or all(parent.stat().st_mode & 0o001 for parent in tree.parents):
        return tree
    copy = folder / f"unpacked {name}"
    if not copy.exists():
        shutil.copytree(tree, copy, symlinks=True)
    return copy


def libraries(tree: Path) -> dict[str, str]:
    """The environment in which unpacked programs find their libraries."""
    folders = [*tree.glob("usr/lib/*-linux-gnu"), *tree.glob("lib/*-linux-gnu")]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, folders))}


def _is_root() -> bool:
    return os.geteuid() == 0
