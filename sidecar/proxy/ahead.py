"""What an app sends ahead of the answer that it waits for."""

from __future__ import annotations

from collections import deque

# What may be sent ahead before the app has to wait.
BYTES_MAX = 64 * 1024
PIECES_MAX = 256


class Ahead:
    """Keeps it in the pieces in which it came.

    As one piece it would not be the same: of a piece whose end it refuses, the parser loses all.
    """

    __slots__ = ("_bytes", "pieces")

    def __init__(self) -> None:
        self.pieces: deque[bytes] = deque()
        self._bytes = 0

    def keep(self, data: bytes) -> None:
        """This came last."""
        self.pieces.append(data)
        self._bytes += len(data)

    def drop(self) -> None:
        """The first of them has been taken."""
        self._bytes -= len(self.pieces.popleft())

    @property
    def is_full(self) -> bool:
        """Whether no more is to be read for now."""
        return self._bytes > BYTES_MAX or len(self.pieces) > PIECES_MAX
