"""A process that dies: at the n-th moment around a call of a port, and for good."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any


class Killed(BaseException):
    """kill -9: nothing of ours runs after it, so nothing may catch it."""


class CrashPlan:
    """Counts the moments before and after every port call, and dies at one of them."""

    def __init__(self, at: int | None = None) -> None:
        self._at = at
        self.moments: list[str] = []
        self.dead = False

    def around(self, port: str, target: Any) -> Any:
        """The same port, mortal."""
        return _Mortal(self, port, target)

    def _pass(self, moment: str) -> None:
        if self.dead:
            raise Killed
        self.moments.append(moment)
        if self._at is not None and len(self.moments) == self._at:
            self.dead = True
            raise Killed

    async def call(
        self, name: str, method: Callable[..., Awaitable[Any]], *args: Any, **kw: Any
    ) -> Any:
        """One call, with a moment on each side of it."""
        self._pass(f"before {name}")
        result = await method(*args, **kw)
        self._pass(f"after {name}")
        return result


class _Mortal:
    def __init__(self, plan: CrashPlan, port: str, target: Any) -> None:
        self._plan = plan
        self._port = port
        self._target = target

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)
        plan, port = self._plan, self._port

        async def call(*args: Any, **kw: Any) -> Any:
            return await plan.call(f"{port}.{name}", method, *args, **kw)

        return call
