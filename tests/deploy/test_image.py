"""What the Dockerfile makes, run as a container runs it: no root, no rights, nothing to write on.

The tree is built by the Dockerfile's own steps (tests/world/image.py), once for all tests here, and
held as tests/world/container.py says.
"""

from __future__ import annotations

import asyncio
import re
import struct
from pathlib import Path

import pytest

from sidecar.sandbox import Sandbox
from tests.deploy.confined import STATE, running
from tests.world.container import USER, status_of
from tests.world.image import Image
from tests.world.processes import ROOT, wait_until

# Bytecode that is taken as it is, and never held against its source.
UNCHECKED_HASH = 0b01
# Tries to make a file in every folder, and asks of every file whether it could be changed.
TRYING = """
import os
for folder, folders, files in os.walk("/"):
    if folder == "/":
        folders[:] = [name for name in folders if name not in ("proc", "dev")]
    probe = os.path.join(folder, ".probe")
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_WRONLY))
        os.unlink(probe)
        print(folder)
    except OSError:
        pass
    for name in files:
        path = os.path.join(folder, name)
        if not os.path.islink(path) and os.access(path, os.W_OK):
            print(path)
"""


def compose_config(sandbox: Sandbox) -> str:
    """The config of deploy/compose, with its seller where ours is."""
    text = (ROOT / "deploy/compose/sidecar.yaml").read_text()
    assert 2 == text.count("http://seller:4020")
    return text.replace("http://seller:4020", sandbox.url)


async def test_pays(image: Image, sandbox: Sandbox, state: Path, tmp_path: Path) -> None:
    """The image with Compose's config is healthy, pays one call, and ends with 0 on SIGTERM."""
    with running(image, tmp_path, compose_config(sandbox), state) as container:
        await asyncio.to_thread(wait_until, container.is_healthy, "the container is healthy")
        said = await container.buy()
        status = await asyncio.to_thread(container.process.stop)
    healthy_after = container.is_healthy()

    assert said
    assert 1 == len(sandbox.books.settlements)
    assert (0, False) == (status, healthy_after), container.process.output()


async def test_unprivileged(image: Image, sandbox: Sandbox, state: Path, tmp_path: Path) -> None:
    """It runs as 65532 without a capability, and nothing that it starts can get one."""
    with running(image, tmp_path, compose_config(sandbox), state) as container:
        status = status_of(container.process.id)

    assert [str(USER)] * 4 == status["Uid"].split()
    assert [str(USER)] * 4 == status["Gid"].split()
    assert {"CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapAmb": 0} == {
        name: int(value, 16) for name, value in status.items() if name.startswith("Cap")
    }
    assert ("1", "") == (status["NoNewPrivs"], status["Groups"])


@pytest.mark.parametrize("privileged", [False, True], ids=["its user", "even root"])
async def test_writes(
    image: Image, sandbox: Sandbox, state: Path, tmp_path: Path, privileged: bool
) -> None:
    """After a paid call nothing in the whole tree was written or can be, but the state folder."""
    before = listed(image.root)
    with running(image, tmp_path, compose_config(sandbox), state) as container:
        await container.buy()
        tried = container.ask(["python", "-c", TRYING], privileged=privileged)
    places = tried.stdout.splitlines()

    assert before == listed(image.root)
    assert STATE in places
    assert [] == [path for path in places if not f"{path}/".startswith(f"{STATE}/")]
    assert {"admin.token", "ledger.db"} <= {path.name for path in state.iterdir()}


def listed(root: Path) -> dict[str, tuple[int, int, int]]:
    """Every file of the tree, and when it was last changed."""
    found = {}
    for path in root.rglob("*"):
        status = path.lstat()
        found[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns)
    return found


def test_bytecode(image: Image) -> None:
    """Every module has bytecode that is taken as it is: on a read-only root none is ever made."""
    homes = [image.root / "opt/sidecar/lib", image.root / ".local/lib"]
    left_out = re.compile("/(ensurepip|idlelib|lib2to3|site-packages/pip|tkinter|turtledemo)/")
    sources = [
        path for home in homes for path in home.rglob("*.py") if left_out.search(str(path)) is None
    ]
    slow = [path for path in sources if held_against_source(path) != UNCHECKED_HASH]

    assert len(sources) > 1_000
    assert [] == slow


def held_against_source(source: Path) -> int | None:
    """How a module's bytecode is held against its source; None where there is none."""
    found = list((source.parent / "__pycache__").glob(f"{source.stem}.cpython-???.pyc"))
    if not found:
        return None
    flags: int = struct.unpack("<I", found[0].read_bytes()[4:8])[0]
    return flags


def test_contents(image: Image) -> None:
    """The image has what requirements-run.lock names, and the sidecar, and no tool to add more."""
    packages = next((image.root / "opt/sidecar/lib").glob("python*/site-packages"))
    found = {one_spelling(path.name.partition("-")[0]) for path in packages.glob("*.dist-info")}
    lock = (ROOT / "requirements-run.lock").read_text()
    locked = {one_spelling(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.M)}

    assert {"x402-sidecar"} == found - locked
    assert not (packages / "pip").exists()


def one_spelling(package: str) -> str:
    """A package's name in the spelling that all others stand for."""
    return re.sub(r"[-_.]+", "-", package).lower()
