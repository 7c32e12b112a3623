"""Which route serves a target, for the proxy and for all who ask what it would do."""

from __future__ import annotations

import pytest

from sidecar.proxy.route import find_route


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("/seller/v1/x?y=1", ("seller", "/v1/x?y=1")),
        ("/seller", ("seller", "/")),
        ("/seller?y=1", ("seller", "/?y=1")),
        ("/sellers/v1", ("default", "/sellers/v1")),
        ("/v1?y=/seller/", ("default", "/v1?y=/seller/")),
    ],
)
def test_found(target: str, found: tuple[str, str]) -> None:
    """The first word of the path names a route and is cut off; else the default serves it all."""

    assert found == find_route({"seller": "seller"}, "default", target)


def test_no_default() -> None:
    """Without a default nothing serves a path that names no route."""

    assert find_route({"seller": "seller"}, None, "/v1") is None
