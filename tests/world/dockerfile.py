"""A Dockerfile as values: its stages, and what each says of the image.

It knows the instructions that ours uses, and no others: what it does not know fails.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from string import Template

KNOWN = frozenset(
    {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN"}
    | {"STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)
_FLAG = re.compile(r"--([a-z-]+)=(\S+)\s+")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One step; flags are ``--name=value`` before its text."""

    word: str
    flags: Mapping[str, str]
    text: str

    def words(self) -> list[str]:
        """Its arguments: as JSON, or as a shell splits them."""
        if self.text.startswith("["):
            listed: list[str] = json.loads(self.text)
            return listed
        return shlex.split(self.text)


@dataclass(slots=True)
class Stage:
    """What one FROM begins."""

    base: str
    name: str
    steps: list[Instruction] = field(default_factory=list)

    def last(self, word: str) -> Instruction:
        """The instruction that holds: a later one stands in place of those before it."""
        return [step for step in self.steps if step.word == word][-1]


def read_dockerfile(path: Path) -> list[Stage]:
    """Its stages in order."""
    stages: list[Stage] = []
    arguments: dict[str, str] = {}
    for step in _instructions(path.read_text()):
        assert step.word in KNOWN, f"{path.name}: {step.word} is not known here"
        if step.word == "FROM":
            base, _, name = Template(step.text).substitute(arguments).partition(" AS ")
            stages.append(Stage(base, name or str(len(stages))))
        elif stages:
            stages[-1].steps.append(step)
        else:
            assert "ARG" == step.word, f"{path.name}: {step.word} before the first FROM"
            name, _, default = step.text.partition("=")
            arguments[name] = default
    return stages


def _instructions(text: str) -> Iterator[Instruction]:
    # Comments may stand between the lines of one instruction.
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for written in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if not written.strip():
            continue
        word, _, rest = written.partition(" ")
        flags = {}
        rest = rest.strip()
        while flag := _FLAG.match(rest):
            flags[flag[1]] = flag[2]
            rest = rest[flag.end() :]
        yield Instruction(word, flags, rest)


def is_ignored(ignore_file: Path, path: str) -> bool:
    """Whether a path of the context stays out of the build: the last pattern that fits decides."""
    ignored = False
    for line in ignore_file.read_text().splitlines():
        pattern = line.strip().removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        parts = path.split("/")
        above = ["/".join(parts[: at + 1]) for at in range(len(parts))]
        if any(_fits(pattern, each) for each in above):
            ignored = not line.startswith("!")
    return ignored


def _fits(pattern: str, path: str) -> bool:
    if pattern.startswith("**/"):
        return any(_fits(pattern[3:], rest) for rest in _tails(path))
    return pattern.count("/") == path.count("/") and fnmatchcase(path, pattern)


def _tails(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[at:]) for at in range(len(parts)))
