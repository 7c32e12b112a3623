"""Where money and credentials may be sent."""

from __future__ import annotations

import pytest

from tests.unit.config.configs import GONE, changed, mistakes_in

REF_FIX = "write {file: PATH} or {env: NAME}"
URL_FIX = "write it like https://api.example.com"
S = ("routes", "seller")
Steps = tuple[str | int, ...]

# Where it is, what is written there, and the whole message.
URLS: list[tuple[Steps, object, str]] = [
    ((*S, "upstream"), GONE, f"routes.seller.upstream: missing; {URL_FIX}"),
    ((*S, "upstream"), "", "routes.seller.upstream: not text; " + URL_FIX + ", in quotes"),
    (
        (*S, "upstream"),
        "api.example.com",
        f"routes.seller.upstream: not an absolute http(s) URL; {URL_FIX}",
    ),
    (
        (*S, "upstream"),
        "ftp://api.example.com",
        f"routes.seller.upstream: not an absolute http(s) URL; {URL_FIX}",
    ),
    (
        (*S, "upstream"),
        "http://api.example.com",
        "routes.seller.upstream: http:// to another machine is readable and changeable on its "
        "way; use https://, or set insecure: true beside it",
    ),
    (
        (*S, "upstream"),
        "https://ann:pw@api.example.com",
        "routes.seller.upstream: a URL that holds a user name or password; "
        "remove the part before the @",
    ),
    *(
        (
            (*S, "upstream"),
            f"https://api.example.com/v1{tail}",
            "routes.seller.upstream: a URL with a query or fragment; "
            "remove everything from the ? or # on",
        )
        for tail in ("?key=1", "#a", "?", "#")
    ),
    *(
        (
            (*S, "upstream"),
            f"https://api.example.com{path}",
            "routes.seller.upstream: a path with empty, dotted or escaped segments; "
            "write the path out plainly",
        )
        for path in ("//v1", "/a/../b", "/.", "/%2e", "/a\\b")
    ),
    *(
        (
            (*S, "upstream"),
            f"https://api.example.com:{port}",
            "routes.seller.upstream: not a URL: its host or port is wrong; "
            "use a port from 1 to 65535",
        )
        for port in ("65536", "x")
    ),
    *(
        (
            (*S, "upstream"),
            f"https://api.example.com:{port}",
            "routes.seller.upstream: not a port; use a port from 1 to 65535",
        )
        for port in ("0", "")
    ),
    *(
        (
            (*S, "upstream"),
            url,
            f"routes.seller.upstream: not a URL; {URL_FIX}, in ASCII and without spaces",
        )
        for url in ("https://bücher.example", "https://a b", "https://a.example/\t", "h" * 2049)
    ),
    ((*S, "upstream"), "https://a..b", f"routes.seller.upstream: not a host name; {URL_FIX}"),
    ((*S, "upstream"), "https://a$b", f"routes.seller.upstream: not a host name; {URL_FIX}"),
    (
        (*S, "upstream"),
        "https://[::1",
        "routes.seller.upstream: not a URL: its host or port is wrong; use a port from 1 to 65535",
    ),
    (
        (*S, "upstream"),
        "http://localhost:8402",
        "routes.seller: its upstream is the sidecar's own address 127.0.0.1:8402; "
        "name the upstream's own address",
    ),
]


@pytest.mark.parametrize(("steps", "written", "message"), [*URLS])
def test_one_mistake(steps: Steps, written: object, message: str) -> None:
    """A wrong upstream is refused with its path, what is wrong, and the fix."""
    found = mistakes_in(changed(*steps, to=written))

    assert message in found
