"""Questions to a person, each of which a flag answers as well."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from sidecar.errors import ConfigError
from sidecar.values import dataclass

# How often one question is asked before a person had better read about it.
TRIES_MAX = 5
ANSWER_LETTERS_MAX = 4096

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """One question. ``usual`` is what Enter and ``--yes`` say; "" where nothing is usual."""

    flag: str
    text: str
    usual: str = ""


@dataclass(frozen=True, slots=True)
class Interview:
    """Takes each answer from its flag, else what is usual, else from who sits at the terminal."""

    takes_usual: bool
    on_terminal: bool

    def ask(self, question: Question, given: str | None, read: Callable[[str], T]) -> T:
        """What ``read`` makes of the answer; its ValueErrors are told to the person.

        ConfigError: a flag is wrong, or missing where nobody can be asked.
        """
        if given is None and self.takes_usual and question.usual:
            given = question.usual
        if given is None and self.on_terminal and not self.takes_usual:
            return self._ask_person(question, read)
        if given is None:
            fix = "give it" if self.takes_usual or not question.usual else "give it, or --yes"
            raise ConfigError(f"--{question.flag}: missing, and nobody is asked here; {fix}")
        try:
            return read(given)
        except ValueError as fault:
            raise ConfigError(f"--{question.flag}: {fault}") from fault

    def _ask_person(self, question: Question, read: Callable[[str], T]) -> T:
        usual = f" [{question.usual}]" if question.usual else ""
        for _ in range(TRIES_MAX):
            tell(f"{question.text}{usual}: ", end="")
            line = sys.stdin.readline(ANSWER_LETTERS_MAX)
            if not line:
                tell("")
                break
            try:
                return read(line.strip() or question.usual)
            except ValueError as fault:
                tell(f"  {fault}")
        raise ConfigError(f"{question.text}: no answer; nothing was written")


def tell(text: str, end: str = "\n") -> None:
    """Say it on stderr, where prompts belong."""
    print(text, end=end, file=sys.stderr, flush=True)
