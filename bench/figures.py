"""What follows from the book: a peer beside another, what it adds, and how a number is written."""

from __future__ import annotations

from bench.field import Book

DIRECT, NGINX, NAIVE = "direct", "nginx", "naive aiohttp"
NODE, PYTHON, LITELLM = "Node @x402/fetch", "Python x402", "LiteLLM"
SIDECAR, BARE = "sidecar", "sidecar, bare"
MICRO = "micro"
NONE = "-"


def number(value: float | None) -> str:
    """Three digits that count, and thousands apart."""
    if value is None:
        return NONE
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def ratio(mine: float | None, theirs: float | None) -> float | None:
    """None where either is missing."""
    return None if mine is None or not theirs else mine / theirs


def beside(book: Book, name: str, peer: str, other: str) -> float | None:
    """The median of one as a multiple of another's."""
    return ratio(book.median(peer, name), book.median(other, name))


def added(book: Book, name: str, peer: str) -> float | None:
    """What a peer adds to no proxy at all; None where the noise swallows it."""
    mine, direct = book.median(peer, name), book.median(DIRECT, name)
    if mine is None or direct is None or peer == DIRECT:
        return None
    return mine - direct if mine > direct else None


def added_beside(book: Book, name: str, peer: str, other: str) -> float | None:
    """What it adds, as a multiple of what another adds."""
    return ratio(added(book, name, peer), added(book, name, other))
