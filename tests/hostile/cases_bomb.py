"""Answers that are meant to exhaust or to confuse whoever reads them."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from dataclasses import replace
from typing import Any

from sidecar.http import HttpResponse
from tests.hostile.case import (
    HONEST,
    Case,
    ask,
    challenge,
    encoded,
    entry,
    extra,
    in_body,
    in_header,
)

LONG = "A" * 200_000
HONEST_BODY = json.dumps(challenge(entry())).encode()


def _deep(levels: int) -> bytes:
    return b'{"x402Version":2,"accepts":' + b"[" * levels + b"]" * levels + b"}"


def _nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def _raw_header(value: str, body: bytes = b"{}") -> HttpResponse:
    return HttpResponse(402, (("PAYMENT-REQUIRED", value),), body)


def _gzipped(data: bytes, coding: str = "gzip") -> HttpResponse:
    return in_body(data, (("Content-Encoding", coding),))


def _bomb(start: bytes) -> bytes:
    """A hundred megabytes of spaces behind this start, a thousand times smaller."""
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    parts = [packer.compress(start)] + [packer.compress(b" " * 1_000_000) for _ in range(100)]
    return b"".join((*parts, packer.flush()))


SIZES = (
    Case("a thousand accepts", "bomb", ask(*[entry()] * 1_000)),
    Case("a thousand accepts in the body", "bomb", in_body(challenge(*[entry()] * 1_000))),
    Case("thirty-three accepts", "bomb", ask(*[entry()] * 33)),
    Case("thirty-two accepts", "bomb", in_body(challenge(*[entry()] * 32)), (HONEST,)),
    Case("ten thousand empty accepts", "bomb", in_body(challenge(*[{}] * 10_000))),
    Case("a header of 200 KB", "bomb", ask(entry(description=LONG))),
    Case("a header of 200 KB that is nothing", "bomb", _raw_header(LONG)),
    Case("a header of 200 KB and an honest body", "bomb", _raw_header(LONG, HONEST_BODY)),
    Case("a body of 1 MB", "bomb", in_body(challenge(entry(), filler=LONG * 5))),
    Case("a body of 8 MB of spaces", "bomb", in_body(HONEST_BODY + b" " * 8_000_000)),
    Case(
        "a thousand headers",
        "bomb",
        in_header(challenge(entry()), *[(f"X-{number}", "v") for number in range(1_000)]),
        (HONEST,),
    ),
    Case("a resource of 20 KB", "bomb", ask(entry(), resource={"url": "A" * 20_000}), (HONEST,)),
    Case(
        "a resource that is a list of lists", "bomb", ask(entry(), resource=[[[]]] * 50), (HONEST,)
    ),
    Case("an error of 200 KB", "bomb", in_body(challenge(entry(), error=LONG)), (HONEST,)),
    Case("an error that is an object", "bomb", ask(entry(), error={"code": ["x"] * 9}), (HONEST,)),
    Case(
        "five thousand extensions",
        "bomb",
        in_body(challenge(entry(), extensions={f"e{number}": {} for number in range(5_000)})),
        (HONEST,),
    ),
    Case("extensions that are a list", "bomb", ask(entry(), extensions=[1, 2]), (HONEST,)),
    Case(
        "an identifier extension that is a list",
        "bomb",
        ask(entry(), extensions={"payment-identifier": [{}]}),
        (HONEST,),
    ),
    Case(
        "an identifier extension with an id of its own",
        "bomb",
        ask(entry(), extensions={"payment-identifier": {"info": {"id": "theirs", "required": 1}}}),
        (HONEST,),
    ),
    Case(
        "an identifier extension of 20 KB",
        "bomb",
        ask(entry(), extensions={"payment-identifier": {"info": {"a": "b" * 20_000}}}),
        (HONEST,),
    ),
    Case("an offer of 20 KB", "bomb", ask(entry(description=LONG[:20_000])), (HONEST,)),
    Case(
        "ten thousand keys",
        "bomb",
        in_body(challenge(entry(), **{f"k{number}": 1 for number in range(10_000)})),
        (HONEST,),
    ),
)

# Sound where nothing of them has to be repeated in the header that pays.
ECHOES = tuple(
    Case(name, "bomb", in_body(document), (*more, HONEST), everywhere=False)
    for name, document, *more in (
        ("a resource of 200 KB in the body", challenge(entry(), resource=LONG)),
        ("an extra of 200 KB", challenge(extra(filler=LONG))),
        ("an offer of 24 KB", challenge(entry(description=LONG[:24_000]))),
        (
            "an offer that fits, and a resource that does not let it",
            challenge(entry(description=LONG[:15_000]), resource=LONG[:15_000]),
        ),
        (
            "letters that take six bytes each in the header",
            challenge(entry(description="\u00e9" * 5_000)),
        ),
        (
            "a cheap offer too large to repeat, and an honest one",
            challenge(entry(amount="9", description=LONG), entry()),
            replace(HONEST, amount=9),
        ),
        (
            "an identifier extension of 200 KB",
            challenge(entry(), extensions={"payment-identifier": {"info": {"a": LONG}}}),
        ),
    )
)

DEPTHS = (
    Case("brackets a hundred thousand deep", "bomb", in_body(_deep(100_000))),
    Case(
        "brackets a million deep, and never closed",
        "bomb",
        in_body(b'{"x402Version":2,"accepts":' + b"[" * 200_000),
    ),
    Case("seventeen levels", "bomb", in_body(_deep(17))),
    Case("an extra of a hundred levels", "bomb", ask(extra(deep=_nested(100)))),
    Case("an extra of eight levels", "bomb", ask(extra(deep=_nested(8))), (HONEST,)),
    Case("deep in the header", "bomb", _raw_header(base64.b64encode(_deep(8_000)).decode())),
    Case("brackets in a text", "bomb", ask(entry(description="[{" * 5_000)), (HONEST,)),
    Case("quotes and backslashes", "bomb", in_body(b'{"x402Version":"' + b'\\"' * 100_000)),
)

CODINGS = (
    Case("gzip, a thousand to one", "bomb", _gzipped(_bomb(b""))),
    Case("gzip of a challenge and 100 MB of spaces", "bomb", _gzipped(_bomb(HONEST_BODY))),
    Case(
        "deflate, a thousand to one", "bomb", _gzipped(zlib.compress(b"{" * 20_000_000), "deflate")
    ),
    Case("gzip within gzip", "bomb", _gzipped(gzip.compress(gzip.compress(HONEST_BODY)))),
    Case("gzip that ends too early", "bomb", _gzipped(gzip.compress(HONEST_BODY)[:-9])),
    Case(
        "gzip and another one behind it",
        "bomb",
        _gzipped(gzip.compress(HONEST_BODY) + gzip.compress(b"{}")),
    ),
    Case("gzip that is none", "bomb", _gzipped(HONEST_BODY)),
    Case("gzip, honestly", "bomb", _gzipped(gzip.compress(HONEST_BODY)), (HONEST,)),
    Case("brotli that is none", "bomb", _gzipped(b'"x402Version"' + b"\xff" * 9, "br")),
)

SHAPES = (
    Case("no challenge", "shape", HttpResponse(402, (), b"")),
    Case("HTML", "shape", HttpResponse(402, (), b"<html>x402Version</html>")),
    Case("an empty header", "shape", _raw_header("")),
    Case("a header that is not base64", "shape", _raw_header("!!! pay me !!!")),
    Case("a header of other letters", "shape", _raw_header("\u00e9\u00fc\u2028")),
    Case(
        "a header that is not UTF-8", "shape", _raw_header(base64.b64encode(b"\xff\xfe{}").decode())
    ),
    Case("a header cut in the middle", "shape", _raw_header(encoded(challenge(entry()))[:99])),
    Case(
        "a header without padding",
        "shape",
        _raw_header(encoded(challenge(entry())).rstrip("=")),
        (HONEST,),
    ),
    Case(
        "a header that cannot be read and an honest body",
        "shape",
        _raw_header("!!!", HONEST_BODY),
        (HONEST,),
    ),
    Case("version 3", "shape", in_header({"x402Version": 3, "accepts": [entry()]})),
    Case("version 2.0", "shape", in_header({"x402Version": 2.0, "accepts": [entry()]})),
    Case("version true", "shape", in_header({"x402Version": True, "accepts": [entry()]})),
    Case("version in a text", "shape", in_header({"x402Version": "2", "accepts": [entry()]})),
    Case("no version", "shape", in_header({"accepts": [entry()]})),
    Case("accepts is an object", "shape", in_header({"x402Version": 2, "accepts": entry()})),
    Case("accepts is a text", "shape", in_header({"x402Version": 2, "accepts": "all"})),
    Case("accepts is null", "shape", in_header({"x402Version": 2, "accepts": None})),
    Case("accepts holds no objects", "shape", ask(None, 1, "a", [], [entry()])),
    Case("accepts holds one object among others", "shape", ask(None, 1, [], entry()), (HONEST,)),
    Case("a list", "shape", in_header([challenge(entry())])),
    Case("NaN in it", "shape", in_body(b'{"x402Version":2,"accepts":[],"a":NaN}')),
    Case("a lone surrogate", "shape", in_body(b'{"x402Version":2,"accepts":[],"error":"\\ud800"}')),
    Case("two documents", "shape", in_body(HONEST_BODY + HONEST_BODY)),
    Case("a byte order mark", "shape", in_body(b"\xef\xbb\xbf" + HONEST_BODY), (HONEST,)),
    Case("UTF-16", "shape", in_body(HONEST_BODY.decode().encode("utf-16"))),
    Case(
        "control characters in the error",
        "shape",
        ask(entry(), error="\r\nX-Evil: 1\x1b[2J\u202e"),
        (HONEST,),
    ),
    Case(
        "line breaks in the resource",
        "shape",
        ask(entry(), resource={"url": "https://seller.example/\r\nX-Evil: 1"}),
        (HONEST,),
    ),
)

CASES = (*SIZES, *ECHOES, *DEPTHS, *CODINGS, *SHAPES)
