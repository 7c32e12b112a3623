"""Events -> lines on stderr: JSON for machines, a console's lines for a person.

A request's JSON line is made at once: it is cheap, and its request is over. Those that are told
of together are one text. Of anything else the event is put in a queue, and ``run``
makes its line, in slices that no request has to wait long for. They are written in a thread, so
that a reader that has stopped reading costs lines (counted) and not traffic. ``flush`` at the end.
Every line is redacted, whatever it was made of.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import chain
from threading import Lock
from typing import Literal, TextIO, TypeAlias

from sidecar.clock import Clock, SystemClock
from sidecar.logs.bridge import Bridge
from sidecar.logs.lines import LEVELS, QUIET, Level, Line, RequestLines, describe
from sidecar.logs.moments import Moments
from sidecar.logs.payments import PaymentLines
from sidecar.logs.redaction import SECRET_CHARS_MIN, Redactor
from sidecar.payments.events import Event, RequestServed
from sidecar.payments.served import Ended, Ending, Together
from sidecar.values import dataclass

__all__ = ["Format", "Level", "LogSink", "Redactor", "configure"]

Format: TypeAlias = Literal["auto", "json", "console"]
Renderer: TypeAlias = Callable[[str, Line], str]

QUEUE_LINES_MAX = 20_000
SLICE_LINES_MAX = 64
WRITE_SLICES_MAX = 64
# With each write the interpreter changes hands twice; larger ones take fresh pages each.
JOINED_SLICES_MAX = 4
# A request is in the log within a tenth of a second: it is told of, and then written.
HEARD_WITHIN_S, WRITE_EVERY_S = 0.02, 0.08
FAULT_CHARS_MAX = 8_000
_encode = json.JSONEncoder(separators=(",", ":")).encode
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def configure(
    format: Format,
    level: Level,
    secrets: Iterable[str],
    *,
    clock: Clock | None = None,
    stream: TextIO | None = None,
) -> LogSink:
    """Make the log, and route the standard ``logging`` into it until ``close``."""
    stream = stream or sys.stderr
    terminal = stream.isatty()
    redactor = Redactor(secrets)
    console = format == "console" or (format == "auto" and terminal)
    render = _console_renderer(colours=terminal) if console else None
    sink = LogSink(redactor, level, clock or SystemClock(), stream, render)
    if redactor.too_short:
        message = (
            f"{redactor.too_short} secrets of under {SECRET_CHARS_MIN} characters are too short "
            "to be redacted: make them longer"
        )
        sink.write(Line("warning", "log", {"logger": "sidecar.logs", "message": message}))
    return sink


# Not frozen, at a quarter of the price: there is one for nearly every turn of the loop.
@dataclass(slots=True)
class Made:
    """Lines that are made: so many, in one text."""

    lines: int
    text: str


class LogSink:
    """Takes events; writes lines. JSON where no ``console`` renderer is given."""

    heard_within_s = HEARD_WITHIN_S

    def __init__(
        self,
        redactor: Redactor,
        level: Level,
        clock: Clock,
        stream: TextIO,
        console: Renderer | None = None,
    ) -> None:
        self._redactor = redactor
        self._lowest = LEVELS.index(level)
        self._share_anew()
        self._clock = clock
        self._stream = stream
        self._console = console
        self._queue: deque[Made | tuple[datetime, Event | Line]] = deque()
        # How many more lines than places the queue has. Only the loop's thread counts.
        self._beside = 0
        # Slices, of which each is some lines; joined once, as they are written.
        self._rendered: deque[list[str]] = deque()
        self._writing = Lock()
        self._dropped = 0
        self._moments = Moments(clock)
        self._bridge = Bridge(self.write)
        self._bridge.install(level)

    def learn(self, secrets: Iterable[str]) -> None:
        """Keep these out of every line from now on, in place of those that were named before."""
        self._redactor = Redactor(secrets)
        self._share_anew()

    def set_level(self, level: Level) -> None:
        """Write lines from this level on."""
        self._lowest = LEVELS.index(level)
        self._share_anew()
        self._bridge.set_level(level)

    def _share_anew(self) -> None:
        self._requests = RequestLines(self._redactor.redact, self._lowest)
        self._payments = PaymentLines(self._render)

    def __call__(self, event: Event) -> None:
        """Put one event in the queue; drop it, and count it, when the queue is full."""
        if isinstance(event, RequestServed) and event.is_shared:
            self.hear_requests({event.ending: (event.ended,)})
        elif self._lowest == 0 or type(event) not in QUIET:
            self._put(event)

    def hear_requests(self, served: Together) -> None:
        """The same of requests, each of which ended at its own time."""
        self._moments.read()
        if self._console is not None:
            for ending, requests in served.items():
                for ended in requests:
                    self._put(ending.served(ended), self._moments.past(ended[3]))
            return
        count = sum(map(len, served.values()))
        room = QUEUE_LINES_MAX - len(self._queue) - self._beside
        if count > room:
            self._dropped += count - room
            served, count = _first(served, room), room
        if count:
            # Made in a slice, many lines would hold up the one request that comes just then.
            text = self._requests.text(self._moments.ended, served)
            self._queue.append(Made(count, text))
            self._beside += count - 1

    def write(self, line: Line) -> None:
        """Put one line in the queue, as if it were an event."""
        self._put(line)

    def _put(self, event: Event | Line, at: datetime | None = None) -> None:
        if len(self._queue) + self._beside >= QUEUE_LINES_MAX:
            self._dropped += 1
        else:
            self._queue.append((at or self._clock.now(), event))

    def say(self, event: str, sentence: str) -> None:
        """A sentence for people: as it is on a console, and elsewhere an event like the others."""
        if self._console is None:
            self.write(Line("info", event, {"message": sentence}))
        else:
            print(f"sidecar: {sentence}", file=self._stream, flush=True)

    async def run(self) -> None:
        """Write what has come, until cancelled. What is left then is for ``flush``."""
        while True:
            await self._clock.sleep(WRITE_EVERY_S)
            while self._queue and len(self._rendered) < WRITE_SLICES_MAX:
                self._render_slice()
                await self._clock.sleep(0)
            if self._rendered:
                await asyncio.to_thread(self._write_rendered)

    def flush(self) -> None:
        """Write everything now."""
        while self._queue:
            self._render_slice()
        self._write_rendered()

    def close(self) -> None:
        """Flush, and give the standard ``logging`` back."""
        self.flush()
        self._bridge.remove()

    def _write_rendered(self) -> None:
        with self._writing:
            count = 1
            try:
                while self._rendered:
                    count = min(len(self._rendered), JOINED_SLICES_MAX)
                    slices = [self._rendered.popleft() for _ in range(count)]
                    text = "".join(chain.from_iterable(slices))
                    if not text.isascii():
                        text = text.encode("ascii", "backslashreplace").decode("ascii")
                    self._stream.write(text)
                self._stream.flush()
            except OSError:
                # Nobody reads the log any more, and there is nobody to tell.
                self._dropped += count * SLICE_LINES_MAX

    def _render_slice(self) -> None:
        lines: list[str] = []
        alike: list[tuple[int, str, Event | Line]] = []
        unseen: set[str] = set()
        left = SLICE_LINES_MAX
        while self._queue and left > 0:
            queued = self._queue.popleft()
            if isinstance(queued, Made):
                lines.append(queued.text)
                left -= queued.lines
                self._beside -= queued.lines - 1
                continue
            timestamp, event = self._moments.text(queued[0]), queued[1]
            line = self._payments.line(timestamp, event, unseen) if self._console is None else None
            if line is None:
                line = self._render(timestamp, event)
            else:
                alike.append((len(lines), timestamp, event))
            lines.append(line)
            left -= 1
        # At once: for each of so short texts alone, to begin a search is most of its price.
        if unseen and self._redactor.finds(unseen):
            for place, timestamp, event in alike:
                lines[place] = self._render(timestamp, event)
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            told = Line("warning", "log_lines_dropped", {"count": dropped})
            lines.append(self._render(self._moments.text(self._clock.now()), told))
        if any(lines):
            self._rendered.append(lines)

    def _render(self, timestamp: str, event: Event | Line) -> str:
        if self._console is None and isinstance(event, RequestServed):
            return self._requests.one(timestamp, event)
        line = event if isinstance(event, Line) else describe(event)
        if LEVELS.index(line.level) < self._lowest:
            return ""
        render = self._console or _json
        text = render(timestamp, line)
        # Looked at once, for most lines hold no secret: what is in a part is in all of it. What
        # the renderer wrote otherwise is looked at as it was: its words could hide a secret.
        texts = [value for value in line.fields.values() if isinstance(value, str)]
        hidden = [value for value in texts if value not in text]
        if "exception" in line.fields or self._redactor.finds((text, *hidden)):
            text = self._redactor.redact(render(timestamp, self._redacted(line)))
        return text + "\n"

    def _redacted(self, line: Line) -> Line:
        # Before it is rendered too: what a renderer does to a text could hide a secret in it.
        fields = {
            name: self._redactor.redact(value) if isinstance(value, str) else value
            for name, value in line.fields.items()
        }
        fault = fields.get("exception")
        if isinstance(fault, str):
            fields["exception"] = fault[-FAULT_CHARS_MAX:]
        return Line(line.level, line.event, fields)


def _first(served: Together, count: int) -> Together:
    """So many of them."""
    first: dict[Ending, Sequence[Ended]] = {}
    for ending, requests in served.items():
        first[ending] = requests[:count]
        count -= len(first[ending])
    return first


def _json(timestamp: str, line: Line) -> str:
    named = {"timestamp": timestamp, "level": line.level, "event": line.event, **line.fields}
    return _encode(named)


def _console_renderer(colours: bool) -> Renderer:
    # Loaded only where a person looks: it costs 7 MB.
    from structlog.dev import ConsoleRenderer  # noqa: PLC0415 - for a console only

    renderer = ConsoleRenderer(colors=colours, sort_keys=False)

    def render(timestamp: str, line: Line) -> str:
        fields = {name: _printable(name, value) for name, value in line.fields.items()}
        named = {"timestamp": timestamp, "level": line.level, "event": line.event, **fields}
        return str(renderer(None, line.level, named))

    return render


def _printable(name: str, value: object) -> object:
    """A text that can neither break a line nor steer a terminal."""
    if not isinstance(value, str):
        return value
    if name == "exception":
        return "\n".join("    " + line.translate(_CONTROLS) for line in value.split("\n"))
    return value.translate(_CONTROLS)
