"""Answers to questions that are often asked again."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memo(Generic[K, V]):
    """So many of the answers that were kept or found last; up to twice as many."""

    __slots__ = ("_before", "_known", "_most")

    def __init__(self, most: int) -> None:
        # To forget a generation at a time costs next to nothing; to look for the oldest would.
        self._known: dict[K, V] = {}
        self._before: dict[K, V] = {}
        self._most = most

    def get(self, key: K) -> V | None:
        """What was kept under this key."""
        value = self._known.get(key)
        if value is None:
            value = self._before.get(key)
            if value is not None:
                self.keep(key, value)
        return value

    def keep(self, key: K, value: V) -> None:
        """Keep it, and forget those that were not asked for in a long time."""
        if len(self._known) >= self._most:
            self._before, self._known = self._known, {}
        self._known[key] = value
