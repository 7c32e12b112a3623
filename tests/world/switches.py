"""What a whole run of the tests may be told: with or without the fast lane, on which loop.

``SIDECAR_FAST_LANE=false`` and ``SIDECAR_EVENT_LOOP=asyncio`` reach every sidecar that a test
starts as a process by themselves, and those within the test's own process by ``SWITCHES``, which
is their environment. The loop of a test itself is pytest's.
"""

from __future__ import annotations

import os

SWITCHES = {name: os.environ[name] for name in ("SIDECAR_FAST_LANE",) if name in os.environ}
