"""A fault as text: where it happened and what it says, without any variable's value."""

from __future__ import annotations

from traceback import format_tb

FRAMES_MAX = 30
CAUSES_MAX = 5
WITHHELD = "(withheld: it may quote the request)"


def show_fault(fault: BaseException) -> str:
    """The traceback, the cause before what it caused."""
    parts: list[str] = []
    shown: BaseException | None = fault
    while shown is not None and len(parts) < CAUSES_MAX:
        frames = "".join(format_tb(shown.__traceback__, -FRAMES_MAX))
        parts.append(f"{frames}{type(shown).__qualname__}: {_message(shown)}")
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    return "\nwhich led to\n".join(reversed(parts))


def quotes_the_wire(fault: BaseException) -> bool:
    """Whether its message may hold bytes of a request: aiohttp's parser errors do, prompts too."""
    return type(fault).__module__.partition(".")[0] == "aiohttp"


def _message(fault: BaseException) -> str:
    return WITHHELD if quotes_the_wire(fault) else str(fault)
