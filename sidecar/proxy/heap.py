"""What the C library keeps of the memory that large bodies pass through."""

from __future__ import annotations

from functools import cache

# It keeps twice as much.
_MAPPED_BYTES = 2 * 1024 * 1024


@cache
def keep_freed() -> None:
    """Keep up to 4 MiB that were freed, for the next pieces of a body, from now on.

    glibc gives what is free at the heap's end back to the system, where half a megabyte is, and
    pieces of a quarter each come back as a page fault for every 4 KiB. It keeps twice as much as
    the largest block that it had mapped apart and was given back (mallopt(3),
    M_MMAP_THRESHOLD). Other C libraries take no notice.
    """
    # Zeroed by the system, so it is never touched.
    bytes(_MAPPED_BYTES)
