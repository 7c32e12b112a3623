"""A program in a tree of its own, held as a container holds it, without a container engine.

The tree is its root, read-only, in a mount namespace of its own; the machine's programs and
libraries are at /usr, read-only too. It runs as a user who is not root, with no capability and no
way to one. What is not here: namespaces for processes and the network, a seccomp filter, limits.
Needs root, who alone can mount and become another user.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

USER = 65532
_DEVICES = ("null", "zero", "random", "urandom")
_UNPRIVILEGED = (
    *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--inh-caps=-all"),
    *("--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"),
)


@dataclass(frozen=True, slots=True)
class Mount:
    """What of the machine is seen at which place of the tree."""

    source: Path
    target: str
    writable: bool = False


def contained(
    root: Path,
    command: Sequence[str],
    mounts: Sequence[Mount] = (),
    *,
    writable: bool = False,
    privileged: bool = False,
    folder: str = "/",
) -> list[str]:
    """The command that runs ``command`` in there; it becomes that one, under the same number.

    ``writable``: the tree too. ``privileged``: as root with all that root may, to show what even
    root cannot, and to build.
    """
    assert os.geteuid() == 0, "a tree of its own is for root to make: run the tests as root"
    # The tree is a mount itself, so that it can be read-only while others in it are not.
    lines = [f"mount --bind {_word(root)} {_word(root)}"]
    for mount in (Mount(Path("/usr"), "/usr"), Mount(root / ".local", "/usr/local", writable)):
        lines += _bind(root, mount)
    lines += _proc_and_devices(root, with_shared_memory=writable)
    for mount in mounts:
        lines += _bind(root, mount)
    if not writable:
        lines.append(f"mount -o remount,bind,ro {_word(root)}")
    lines.append('exec "$@"')
    script = "\n".join(lines)
    return [
        *("unshare", "--mount", "--propagation", "private"),
        *("/bin/sh", "-euc", script, "sh"),
        *("chroot", str(root), "env", f"--chdir={folder}"),
        *(() if privileged else _UNPRIVILEGED),
        *command,
    ]


def _bind(root: Path, mount: Mount) -> list[str]:
    target = _word(root / mount.target.lstrip("/"))
    lines = [f"mount --bind {_word(mount.source)} {target}"]
    if not mount.writable:
        lines.append(f"mount -o remount,bind,ro {target}")
    return lines


def _proc_and_devices(root: Path, *, with_shared_memory: bool) -> list[str]:
    devices = root / "dev"
    lines = [
        f"mount -t proc proc {_word(root / 'proc')}",
        f"mount -t tmpfs -o mode=755,size=64k tmpfs {_word(devices)}",
    ]
    for name in _DEVICES:
        place = _word(devices / name)
        lines += [f": > {place}", f"mount --bind /dev/{name} {place}"]
    if with_shared_memory:
        shared = _word(devices / "shm")
        lines += [f"mkdir {shared}", f"mount -t tmpfs -o mode=1777 tmpfs {shared}"]
    return [*lines, f"mount -o remount,ro {_word(devices)}"]


def place(root: Path, target: str, *, folder: bool) -> None:
    """Make what something can be mounted on, as an engine does before it starts the program."""
    path = root / target.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    if folder:
        path.mkdir(exist_ok=True)
    else:
        path.touch()


def status_of(process: int) -> Mapping[str, str]:
    """What the kernel says of a process: its users, groups and capabilities."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _word(path: Path) -> str:
    return shlex.quote(str(path))
