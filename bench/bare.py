"""The sidecar without what it counts and writes: the one that the others are compared with.

``python -m bench.bare run --config FILE``: every event is dropped where it happens, so that there
are neither metrics nor log lines. Its config has no callers, no budgets of theirs and no tokens.
"""

from __future__ import annotations

import sys

from sidecar.cli import main
from sidecar.payments.events import Event
from sidecar.payments.served import Together
from sidecar.service import Service


def drop(self: Service, event: Event) -> None:
    """In place of ``Service._emit``."""


def drop_served(self: Service, served: Together) -> None:
    """In place of ``Service._emit_served``."""


if __name__ == "__main__":
    Service._emit = drop  # type: ignore[method-assign]  # nothing but a benchmark wants it
    Service._emit_served = drop_served  # type: ignore[method-assign]  # as above
    sys.exit(main())
