"""Files that only we may read, in folders that only we may change.

A secret's file is regular, not a link, ours or root's, and closed to everyone else (0600, 0400).
One exception: a file of root's may be readable by a group (0440), for this is how systemd and
Kubernetes hand a secret to a user who is not root.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from tempfile import mkstemp

from sidecar.errors import ConfigError

SECRET_BYTES_MAX = 16 * 1024

_OTHERS = 0o077
_OTHERS_WRITE = 0o022
_GROUP_READ = 0o040
_ROOT = 0


def read_private(path: Path, bytes_max: int = SECRET_BYTES_MAX) -> bytes:
    """What the file holds. ConfigError names the file, what is wrong with it, and the fix."""
    try:
        check_folder(path.parent)
        # The checks are made on what was opened, so that nothing can be put in its place.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        with open(os.open(path, flags), "rb") as file:
            wrong = complaint(os.fstat(file.fileno()), os.geteuid(), path)
            if wrong is not None:
                raise ConfigError(f"{path}: {wrong}")
            content = file.read(bytes_max + 1)
    except OSError as fault:
        raise ConfigError(f"{path}: {_explain(fault, path)}") from fault
    if len(content) > bytes_max:
        raise ConfigError(f"{path}: over {bytes_max} bytes; name the file with the secret in it")
    return content


def complaint(status: os.stat_result, user: int, path: Path) -> str | None:
    """What is wrong with a secret's file, and the fix; None when nothing is."""
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file; name a file"
    if status.st_uid not in {_ROOT, user}:
        return f"it belongs to another user; chown {user} {path}"
    handed_over = status.st_uid == _ROOT != user and mode & _OTHERS == _GROUP_READ
    if mode & _OTHERS and not handed_over:
        return f"other users may read or change it (mode {mode:04o}); chmod 600 {path}"
    return None


def write_private(path: Path, content: bytes) -> bool:
    """Make the file, 0600, whole or not at all; False when there is one already.

    It has survived a power cut when this returns. OSError when it cannot be made.
    """
    handle, draft = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        # Unlike a rename, a link never replaces what somebody else made meanwhile.
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def ensure_state_dir(path: Path) -> None:
    """Make the folder, 0700, if it is not there. ConfigError when it is not ours alone."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_folder(path)
        if not os.access(path, os.W_OK | os.X_OK):
            raise ConfigError(f"{path}: it cannot be written to; chown {os.geteuid()} {path}")
    except OSError as fault:
        reason = (fault.strerror or "unusable").lower()
        raise ConfigError(f"{path}: {reason}; name a folder that can be used") from fault


def check_folder(path: Path) -> None:
    """Whoever may write in the folder may put another file in the secret's place.

    ConfigError when others may. OSError when it cannot be looked at.
    """
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise ConfigError(f"{path}: not a folder; name a folder")
    if status.st_uid not in {_ROOT, os.geteuid()}:
        raise ConfigError(f"{path}: the folder is another user's; chown {os.geteuid()} {path}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS_WRITE and not mode & stat.S_ISVTX:
        raise ConfigError(f"{path}: other users may write in this folder; chmod go-w {path}")


def _explain(fault: OSError, path: Path) -> str:
    if fault.errno == errno.ELOOP:
        return f"it is a link; name the file itself, {_target(path)}"
    if fault.errno == errno.ENOENT:
        return "there is no such file; make it, or name the right one"
    if fault.errno == errno.EACCES:
        return f"this user may not read it; chown {os.geteuid()} {path}"
    return f"{(fault.strerror or 'unreadable').lower()}; name a file that can be used"


def _target(path: Path) -> str:
    try:
        return str(path.parent / path.readlink())
    except OSError:
        return "not a link to it"
