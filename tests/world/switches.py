"""What a whole run of the tests may be told: with or without the fast lane, on which loop.

``SIDECAR_FAST_LANE=false`` and ``SIDECAR_EVENT_LOOP=asyncio`` belong into the environment of every
sidecar that a test starts. The loop of a test itself is pytest's.
"""

from __future__ import annotations

import os

_NAMES = ("SIDECAR_FAST_LANE", "SIDECAR_EVENT_LOOP")
SWITCHES = {name: os.environ[name] for name in _NAMES if name in os.environ}
