"""The image's tree, made by the Dockerfile's own steps where no container engine is.

In place of the base image stands this machine's Python at /usr/local, without its tests and its
bytecode, which the official slim image lacks as well. What the tree has above it is what the
Dockerfile put there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template

from tests.world.container import Mount, contained, place
from tests.world.dockerfile import Instruction, Stage, is_ignored, read_dockerfile
from tests.world.processes import ROOT

# Of the machine's, as every base has them: names, certificates, where libraries are.
_SETTINGS = ("hosts", "ld.so.conf", "ld.so.conf.d", "nsswitch.conf", "resolv.conf", "ssl/certs")
_LEFT_OUT = shutil.ignore_patterns(
    *("__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "site-packages"),
    *("config-3*", "lib2to3"),
)
_STEP_WAIT_S = 600
_BASE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Image:
    """A built tree, and how it is meant to be run."""

    root: Path
    environment: dict[str, str]

    @property
    def stage(self) -> Stage:
        """What the Dockerfile says of it."""
        return read_dockerfile(ROOT / "Dockerfile")[-1]

    @property
    def command(self) -> list[str]:
        """What it runs when it is told nothing."""
        return [*self.stage.last("ENTRYPOINT").words(), *self.stage.last("CMD").words()]

    @property
    def health_command(self) -> list[str]:
        """What says whether it is healthy."""
        word, _, command = self.stage.last("HEALTHCHECK").text.partition(" ")
        assert "CMD" == word
        return Instruction("CMD", {}, command).words()


def build_image(folder: Path) -> Image:
    """The last stage of our Dockerfile, built in this folder."""
    base = _lay_base(folder / "base")
    built: dict[str, Path] = {}
    for stage in read_dockerfile(ROOT / "Dockerfile"):
        root = folder / stage.name
        # Links to the same files: a step that writes another one makes it anew.
        subprocess.run(["cp", "-al", base, root], check=True)
        environment = _Building(root, built).run(stage)
        built[stage.name] = root
    return Image(root, environment)


class _Building:
    """One stage, step by step."""

    def __init__(self, root: Path, others: dict[str, Path]) -> None:
        self._root = root
        self._others = others
        self._folder = "/"
        self._environment = {"PATH": _BASE_PATH, "HOME": "/root"}

    def run(self, stage: Stage) -> dict[str, str]:
        """The environment that it leaves."""
        for step in stage.steps:
            match step.word:
                case "RUN":
                    self._run(step)
                case "COPY":
                    self._copy(step)
                case "ENV":
                    for word in step.words():
                        name, _, value = word.partition("=")
                        self._environment[name] = Template(value).substitute(self._environment)
                case "WORKDIR":
                    self._folder = step.text
                    place(self._root, step.text, folder=True)
                case _:
                    # Said of the image, and nothing that is done.
                    pass
        return self._environment

    def _run(self, step: Instruction) -> None:
        mounts = []
        if "mount" in step.flags:
            options = dict(option.split("=") for option in step.flags["mount"].split(","))
            assert ("cache", "/root/.cache/pip") == (options["type"], options["target"])
            cache = Path(os.environ.get("PIP_CACHE_DIR", "~/.cache/pip")).expanduser()
            cache.mkdir(parents=True, exist_ok=True)
            mounts.append(Mount(cache, options["target"], writable=True))
        # How this machine reaches the package index.
        settings = Path("/etc/pip.conf"), Path("~/.config/pip/pip.conf").expanduser()
        for path in settings:
            if path.exists():
                mounts.append(Mount(path, str(path)))
        for mount in mounts:
            place(self._root, mount.target, folder=mount.source.is_dir())
        ours = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        done = subprocess.run(
            contained(
                self._root,
                ["/bin/sh", "-c", step.text],
                mounts,
                writable=True,
                privileged=True,
                folder=self._folder,
            ),
            env={**ours, **self._environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_STEP_WAIT_S,
            check=False,
        )
        assert 0 == done.returncode, f"RUN {step.text}\n{done.stdout}\n{done.stderr}"

    def _copy(self, step: Instruction) -> None:
        *sources, target = step.words()
        into = self._root / os.path.normpath(f"{self._folder}/{target}").lstrip("/")
        if target.startswith("/"):
            into = self._root / target.lstrip("/")
        for source in sources:
            if "from" in step.flags:
                origin = self._others[step.flags["from"]] / source.lstrip("/")
                into.parent.mkdir(parents=True, exist_ok=True)
                subprocess.run(["cp", "-a", "-T", origin, into], check=True)
                continue
            origin = ROOT / source
            assert not is_ignored(ROOT / ".dockerignore", source), f"{source} is not sent"
            if origin.is_dir():
                shutil.copytree(origin, into, ignore=_not_sent, dirs_exist_ok=True)
            else:
                shutil.copy(origin, into / source)


def _not_sent(folder: str, names: list[str]) -> list[str]:
    inside = Path(folder).relative_to(ROOT)
    return [name for name in names if is_ignored(ROOT / ".dockerignore", str(inside / name))]


def _lay_base(root: Path) -> Path:
    """A tree with Python in it, as the official image has it."""
    for name in ("etc", "dev", "proc", "root", "tmp", "usr", "var/lib", ".local/bin", ".local/lib"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / name).symlink_to(f"usr/{name}")
    for name in _SETTINGS:
        origin, copy = Path("/etc", name), root / "etc" / name
        copy.parent.mkdir(exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, copy)
        elif origin.exists():
            shutil.copy(origin, copy)
    _bring_python(root / ".local")
    subprocess.run(contained(root, ["ldconfig"], writable=True, privileged=True), check=True)
    return root


def _bring_python(local: Path) -> None:
    version = _version()
    prefix = _prefix(version)
    for name in ("python", "python3", f"python{version}"):
        shutil.copy(prefix / "bin" / name, local / "bin" / name, follow_symlinks=False)
    for library in (prefix / "lib").glob("libpython*"):
        shutil.copy(library, local / "lib" / library.name, follow_symlinks=False)
    packages = f"lib/python{version}/site-packages"
    shutil.copytree(
        prefix / "lib" / f"python{version}",
        local / "lib" / f"python{version}",
        ignore=_LEFT_OUT,
        symlinks=True,
    )
    shutil.copytree(
        prefix / packages / "pip", local / packages / "pip", ignore=shutil.ignore_patterns("*.pyc")
    )


def _version() -> str:
    """The one that the Dockerfile names, where this machine has it; else the one that runs us."""
    base = read_dockerfile(ROOT / "Dockerfile")[-1].base
    named = ".".join(base.removeprefix("python:").split(".")[:2])
    return named if _prefix(named).exists() else f"3.{sys.version_info.minor}"


def _prefix(version: str) -> Path:
    """Where it is: beside ours, where several are kept; ours, where it is not."""
    own = Path(sys.base_prefix)
    others = [path for path in own.parent.glob(f"{version}*") if (path / "bin/python").exists()]
    return max(others, default=own if version == f"3.{sys.version_info.minor}" else own / version)
