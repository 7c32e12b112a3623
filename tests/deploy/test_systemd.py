"""The units: known to systemd, as closed as can be, and handing over what the sidecar takes."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from sidecar.cli.exits import MEANINGS, USAGE
from sidecar.config.model import SecretRef
from sidecar.config.read import parse_config
from tests.world.container import USER
from tests.world.processes import ROOT, WORLD, installed
from tests.world.running import KEY

UNITS = ROOT / "deploy/systemd"
# systemd-analyze's exposure goes from 0 (closed) to 100; the network is what the sidecar is for.
EXPOSURE_MAX = 15
# Linux: system.posix_acl_access, version 2: who, what they may do, and which user is meant.
_ACL_VERSION, _ACL_OWNER, _ACL_USER, _ACL_GROUP, _ACL_MASK, _ACL_OTHER = 2, 1, 2, 4, 16, 32
_NOBODY_MEANT = 0xFFFFFFFF
# Reads the key as the sidecar does, as the user that it is told to become.
READ = """
import os, sys
from pathlib import Path
from sidecar.config.private_file import read_private
user = int(sys.argv[2])
os.setgroups([])
os.setgid(user)
os.setuid(user)
print(read_private(Path(sys.argv[1])).decode(), end="")
"""


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """systemd's own judgement; its libraries are beside it where it was unpacked."""
    program = shutil.which("systemd-analyze")
    environment = dict(os.environ)
    if program is None:
        program = str(installed(WORLD / "systemd/usr/bin/systemd-analyze"))
        libraries = [str(path) for path in (WORLD / "systemd/usr/lib").glob("*-linux-gnu*/**/")]
        environment["LD_LIBRARY_PATH"] = ":".join(libraries)
    return subprocess.run(
        [program, *words], capture_output=True, text=True, check=False, env=environment
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with our units in it, and with the programs that they start."""
    units = tmp_path / "etc/systemd/system"
    shutil.copytree(UNITS, units)
    for program in ("opt/sidecar/bin/sidecar", "bin/kill"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    for name in ("sysinit", "basic", "network-online", "shutdown", "multi-user", "sockets"):
        (units / f"{name}.target").write_text("[Unit]\nDescription=of every system\n")
    return tmp_path


def unit(name: str) -> ConfigParser:
    """One of our units."""
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNITS / name)
    return parser


@pytest.mark.parametrize("name", ["sidecar.service", "sidecar.socket"])
def test_verify(tree: Path, name: str) -> None:
    """`systemd-analyze verify` finds nothing."""
    verdict = analyze("verify", "--man=no", f"--root={tree}", name)

    assert (0, "") == (verdict.returncode, verdict.stdout + verdict.stderr)


def test_verify_sees(tree: Path) -> None:
    """It finds a key that it does not know: the check above is not passed by everything."""
    path = tree / "etc/systemd/system/sidecar.service"
    path.write_text(path.read_text().replace("DynamicUser=", "DynamicalUser="))
    verdict = analyze("verify", "--man=no", f"--root={tree}", "sidecar.service")

    assert "DynamicalUser" in verdict.stderr


def test_exposure(tree: Path) -> None:
    """`systemd-analyze security` finds little that an intruder could do."""
    verdict = analyze(
        *("security", "--offline=true", f"--root={tree}", f"--threshold={EXPOSURE_MAX}"),
        *("--no-pager", "sidecar.service"),
    )

    assert 0 == verdict.returncode, verdict.stdout + verdict.stderr


def test_config() -> None:
    """The unit's config takes the key from where systemd puts it, and keeps state where it may."""
    service = unit("sidecar.service")["Service"]
    name, _, origin = service["LoadCredential"].partition(":")
    environ = {"HOME": "/", "SIDECAR_STATE_DIR": f"/var/lib/{service['StateDirectory']}"}
    text = (UNITS / "sidecar.yaml").read_text()
    config = parse_config(text, environ, {}, Path("/etc/sidecar"))
    key = config.wallets["main"].key
    assert isinstance(key, SecretRef)

    assert f"/run/credentials/sidecar.service/{name}" == key.where
    assert "/etc/sidecar/evm.key" == origin
    assert "/var/lib/sidecar" == str(config.state_dir)
    assert "SIDECAR_STATE_DIR=%S/sidecar" == service["Environment"]
    assert str(config.listen) == unit("sidecar.socket")["Socket"]["ListenStream"]


def test_life() -> None:
    """A mistake in the config is not tried again, a crash is; the end waits for the drain."""
    service = unit("sidecar.service")["Service"]
    config = parse_config((UNITS / "sidecar.yaml").read_text(), {"HOME": "/"}, {}, Path("/"))
    wait_s = int(service["TimeoutStopSec"].removesuffix("s"))

    assert ("notify", "on-failure") == (service["Type"], service["Restart"])
    assert str(USAGE) == service["RestartPreventExitStatus"]
    assert "config" in MEANINGS[USAGE]
    assert "/bin/kill -HUP $MAINPID" == service["ExecReload"]
    assert wait_s > 2 * config.limits.drain_wait_s


def test_socket_name() -> None:
    """The socket has the name by which the sidecar knows the port for apps."""
    from sidecar.service.inherited import KEYS

    assert "listen" == KEYS[unit("sidecar.socket")["Socket"]["FileDescriptorName"]]


def hand_over(path: Path) -> None:
    """A key as systemd hands it over: root's, 0400, and one user more may read it.

    Where the file system has no access lists systemd gives the file to the user, and so do we.
    """
    path.write_text(KEY)
    path.chmod(0o400)
    entries = [
        (_ACL_OWNER, 4, _NOBODY_MEANT),
        (_ACL_USER, 4, USER),
        (_ACL_GROUP, 0, _NOBODY_MEANT),
        (_ACL_MASK, 4, _NOBODY_MEANT),
        (_ACL_OTHER, 0, _NOBODY_MEANT),
    ]
    packed = struct.pack("<I", _ACL_VERSION)
    packed += b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(path, "system.posix_acl_access", packed)
    except OSError:
        shutil.chown(path, USER, USER)


def test_credential() -> None:
    """The sidecar takes a key as systemd hands it over, and no other user can read it."""
    with tempfile.TemporaryDirectory(prefix="x402-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        hand_over(folder / "evm.key")
        ours, others = (
            subprocess.run(
                [sys.executable, "-c", READ, folder / "evm.key", str(user)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            for user in (USER, USER + 1)
        )

    assert KEY == ours.stdout, ours.stderr
    assert "" == others.stdout


def test_no_writable_executable_memory(tmp_path: Path) -> None:
    """The sidecar's code loads and signs where memory is never writable and executable."""
    program = (
        "import ctypes\n"
        "PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1\n"
        "ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0)\n"
        "import os, sys\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'sidecar', *sys.argv[1:]])\n"
    )
    path = tmp_path / "evm.key"
    path.write_text(KEY)
    path.chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-c", program, "wallet", "address", "--key-file", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert re.search(r"0x[0-9a-fA-F]{40}", done.stdout), done.stderr
