"""The Dockerfile, what is sent to its build, and the lock files that it installs from."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.deploy.confined import STATE
from tests.world.container import USER
from tests.world.dockerfile import is_ignored, read_dockerfile
from tests.world.manifests import TOOLS
from tests.world.processes import ROOT, installed

DOCKERFILE, IGNORE_FILE = ROOT / "Dockerfile", ROOT / ".dockerignore"


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [installed(TOOLS / "bin/hadolint"), "--no-color", path],
        capture_output=True,
        text=True,
        check=False,
    )


def test_hadolint() -> None:
    """hadolint has nothing to say."""
    verdict = hadolint(DOCKERFILE)

    assert (0, "") == (verdict.returncode, verdict.stdout + verdict.stderr)


def test_hadolint_sees(tmp_path: Path) -> None:
    """It speaks of an image that ends as root: the check above is not passed by everything."""
    copy = tmp_path / "Dockerfile"
    copy.write_text(DOCKERFILE.read_text().replace("USER 65532:65532", "USER root"))

    assert "DL3002" in hadolint(copy).stdout


def test_base() -> None:
    """Both stages are on one base, a slim one, pinned by its digest."""
    bases = {stage.base for stage in read_dockerfile(DOCKERFILE)}
    (base,) = bases

    assert 2 == len(read_dockerfile(DOCKERFILE))
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+@sha256:[0-9a-f]{64}", base)


def test_runs_as() -> None:
    """The image says its numeric user, its one volume, its signal, and starts without a shell."""
    stage = read_dockerfile(DOCKERFILE)[-1]

    assert f"{USER}:{USER}" == stage.last("USER").text
    assert STATE == stage.last("VOLUME").text
    assert "SIGTERM" == stage.last("STOPSIGNAL").text
    assert "8402 9402" == stage.last("EXPOSE").text
    assert (["sidecar"], ["run"]) == (
        stage.last("ENTRYPOINT").words(),
        stage.last("CMD").words(),
    )
    assert all(stage.last(word).text.startswith("[") for word in ("ENTRYPOINT", "CMD"))
    assert stage.last("HEALTHCHECK").text.startswith('CMD ["sidecar", ')


@pytest.mark.parametrize(
    "path",
    [
        *(".git/config", ".venv/bin/python", ".env", "evm.key", "deploy/compose/secrets/evm.key"),
        *("config/evm.key", "tests/conftest.py", "sidecar/__pycache__/x.pyc"),
        "sidecar/proxy/__pycache__/admin.cpython-313.pyc",
    ],
)
def test_not_sent(path: str) -> None:
    """No key, history, environment or stale bytecode is sent to the build."""
    assert is_ignored(IGNORE_FILE, path)


@pytest.mark.parametrize("path", ["sidecar/cli/run.py", "pyproject.toml", "requirements-run.lock"])
def test_sent(path: str) -> None:
    """What the image is made of is sent."""
    assert not is_ignored(IGNORE_FILE, path)


def pins(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """What a lock file holds: version and hashes by package."""
    text = (ROOT / name).read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", text.replace("\\\n", " "))
    return {
        found[1]: (found[2], frozenset(re.findall(r"sha256:[0-9a-f]{64}", block)))
        for block in blocks
        if (found := re.match(r"([a-z0-9._-]+)==(\S+)", block))
    }


@pytest.mark.parametrize("name", ["requirements-run.lock", "requirements-build.lock"])
def test_locks_agree(name: str) -> None:
    """What the image gets is what is tested: the same versions, with the same hashes."""
    tested = pins("requirements.lock")

    assert {} == {package: pin for package, pin in pins(name).items() if tested.get(package) != pin}
    assert all(hashes for _, hashes in pins(name).values())


def test_locks_are_whole() -> None:
    """Every package that the sidecar needs to run, and what builds it, is locked."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {name_in(each) for each in project["project"]["dependencies"]}
    builders = {name_in(each) for each in project["build-system"]["requires"]}

    assert needed <= pins("requirements-run.lock").keys()
    assert builders <= pins("requirements-build.lock").keys()
    assert not pins("requirements-run.lock").keys() & {"hatchling", "pytest", "openai"}


def name_in(requirement: str) -> str:
    """The package that a requirement is about."""
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0]
