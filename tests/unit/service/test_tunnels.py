"""Which upstreams are reached through the proxy that the environment names."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.config.read import parse_config
from sidecar.errors import ConfigError
from sidecar.http import Origin
from sidecar.service.tunnels import proxy_for, tunnel_notes
from tests.world.running import config_text

PROXY = "http://user:pass@proxy.example:3128"
FAR = Origin.of("https://api.example.com")


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, "https://api.example.com", ""),
        ({"HTTPS_PROXY": PROXY}, "https://api.example.com", PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, "https://api.example.com", PROXY),
        ({"HTTPS_PROXY": "proxy.example:3128"}, "https://a.example", "http://proxy.example:3128"),
        ({"HTTP_PROXY": PROXY}, "https://api.example.com", ""),
        ({"HTTPS_PROXY": PROXY}, "http://insecure.example", ""),
        ({"HTTPS_PROXY": PROXY}, "https://127.0.0.1:8443", ""),
        ({"HTTPS_PROXY": PROXY}, "https://localhost", ""),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "example.com"}, "https://api.example.com", ""),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "*"}, "https://api.example.com", ""),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "api.example.com:443"}, "https://api.example.com", ""),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "ple.com"}, "https://api.example.com", PROXY),
        ({"HTTPS_PROXY": ""}, "https://api.example.com", ""),
    ],
)
def test_proxy_for(environ: dict[str, str], url: str, proxy: str) -> None:
    """An https upstream elsewhere goes through HTTPS_PROXY, unless NO_PROXY names it."""
    assert proxy == proxy_for(environ)(Origin.of(url))


@pytest.mark.parametrize("named", ["socks5://user:pass@proxy", "http://", "http://proxy:port"])
def test_no_use(named: str) -> None:
    """A proxy of another kind is refused where it would be used, and its password is not told."""
    find = proxy_for({"HTTPS_PROXY": named})

    assert "" == find(Origin.of("http://127.0.0.1:4020"))
    with pytest.raises(ConfigError, match="HTTPS_PROXY: this is no http:// proxy") as refused:
        find(FAR)
    assert "user" not in str(refused.value)


def test_notes(tmp_path: Path) -> None:
    """At start it is said which upstreams are behind the proxy, without its password."""
    text = config_text(tmp_path, "https://api.example.com", rpc="http://127.0.0.1:4020/rpc")
    config = parse_config(text, {}, {}, tmp_path)

    assert [
        "https://api.example.com: reached through the proxy http://proxy.example:3128 (HTTPS_PROXY)"
    ] == tunnel_notes(config, proxy_for({"HTTPS_PROXY": PROXY}))
    assert [] == tunnel_notes(config, proxy_for({}))
