"""deploy/README.md: every command in it is one that works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sidecar.cli.parser import make_parser
from tests.world.dockerfile import read_dockerfile
from tests.world.manifests import rendered_text
from tests.world.processes import ROOT

DEPLOY = ROOT / "deploy"
GUIDE = (DEPLOY / "README.md").read_text()


def commands(word: str, text: str = GUIDE) -> list[list[str]]:
    """The commands of the guide that have this word, as a shell splits them."""
    block = "\n".join(line for line in text.splitlines() if line.startswith("    "))
    lines = block.replace("\\\n", " ").splitlines()
    return [words for line in lines if word in (words := shlex.split(line.strip("() ")))]


def test_sidecar_commands() -> None:
    """The sidecar's own commands are typed as it reads them, in the guide and in compose.yaml."""
    heads = [(DEPLOY / "compose/compose.yaml").read_text().replace("#   ", "  ")]
    typed = [
        [*words[words.index("sidecar") + 1 :]]
        for text in (GUIDE, *heads)
        for words in commands("sidecar", text)
        if words[0] == "sidecar"
    ]
    parsed = [make_parser().parse_args(words).command for words in typed]

    assert ["wallet"] * 3 == parsed


def test_secrets(tmp_path: Path) -> None:
    """The lines that make Compose's secrets make two files for their owner alone."""
    (block,) = re.findall(r"    cd deploy/compose\n((?:    .+\n)+)", GUIDE)
    lines = [
        line.strip() for line in block.splitlines() if "sudo" not in line and "docker" not in line
    ]
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    command = bin_folder / "sidecar"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m sidecar "$@"\n')
    command.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
    }
    subprocess.run(
        ["/bin/sh", "-euc", "\n".join(lines)],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
    )
    made = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()}

    assert 3 == len(lines)
    assert {"evm.key": 0o600, "app.token": 0o600} == made
    assert re.fullmatch(r"sk-sidecar-[0-9a-f]{48}\n", (tmp_path / "secrets/app.token").read_text())


def test_compose_head() -> None:
    """compose.yaml's own head has the guide's lines."""
    (block,) = re.findall(r"    cd deploy/compose\n((?:    .+\n)+)", GUIDE)
    head = (DEPLOY / "compose/compose.yaml").read_text()

    assert [] == [line for line in block.splitlines() if f"#     {line.strip()}\n" not in head]


def test_docker_run() -> None:
    """`docker run` mounts the config where the image looks, and publishes both ports for us."""
    stage = read_dockerfile(ROOT / "Dockerfile")[-1]
    environment = dict(word.split("=", 1) for word in stage.last("ENV").words())
    (run,) = commands("run")
    mounted = [run[at + 1].split(":")[1] for at, word in enumerate(run) if word == "-v"]
    published = [run[at + 1] for at, word in enumerate(run) if word == "-p"]

    assert environment["SIDECAR_CONFIG"] in mounted
    assert stage.last("VOLUME").text in mounted
    assert ["127.0.0.1:8402:8402", "127.0.0.1:9402:9402"] == published
    assert {"--read-only", "--cap-drop", "--security-opt"} <= set(run)


@pytest.mark.parametrize("words", commands("-k"), ids=lambda words: words[-1])
def test_kubectl_apply(words: list[str]) -> None:
    """What is applied is a kustomization, and it renders."""
    assert ["kubectl", "apply", "-k"] == words[:3]
    assert list(yaml.safe_load_all(rendered_text(ROOT / words[3])))


def test_installed_files() -> None:
    """What systemd's lines install is there, and goes where the unit looks for it."""
    installed = [words for words in commands("install") if words[:2] == ["sudo", "install"]]
    files = [word for words in installed for word in words if word.startswith("deploy/")]
    unit = (DEPLOY / "systemd/sidecar.service").read_text()

    assert 3 == len(files)
    assert all((ROOT / file).is_file() for file in files)
    assert "/opt/sidecar/bin/sidecar run --config /etc/sidecar/sidecar.yaml\n" in unit
    assert "LoadCredential=evm.key:/etc/sidecar/evm.key\n" in unit


def test_places() -> None:
    """Every place that the guide's table names is there."""
    (table,) = re.findall(r"\|---\|---\|\n((?:\|.*\n)+)", GUIDE)
    named = [path for row in table.splitlines() for path in re.findall(r"`([^`]+)`", row)]

    assert len(named) > 4
    assert [] == [path for path in named if not (ROOT / path).exists()]
