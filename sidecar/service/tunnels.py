"""Which upstreams are reached through a proxy: those that HTTPS_PROXY and NO_PROXY say.

They mean what they mean to other programs. An https upstream is reached by CONNECT, so the proxy
learns its name and nothing of what is said; its certificate is checked as ever. An http upstream is
on this machine, or marked as insecure, and never goes through one; neither does loopback.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # typeshed leaves it out
    proxy_bypass_environment,
)

from sidecar.config.addresses import is_loopback
from sidecar.config.model import Config
from sidecar.errors import ConfigError
from sidecar.http import Origin
from sidecar.proxy.upstream import ProxyFor


def proxy_for(environ: Mapping[str, str]) -> ProxyFor:
    """The proxy that this environment names. Asking it raises ConfigError where it is no use."""
    named = environ.get("https_proxy") or environ.get("HTTPS_PROXY") or ""
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""

    def find(origin: Origin) -> str:
        if not named or origin.scheme != "https" or is_loopback(origin.host):
            return ""
        if proxy_bypass_environment(f"{origin.host}:{origin.port}", {"no": exempt}):
            return ""
        return _checked(named)

    return find


def tunnel_notes(config: Config, find: ProxyFor) -> list[str]:
    """What is told at start: which upstreams of this config are behind a proxy."""
    urls = [route.upstream for route in config.routes.values()]
    urls += [url for chain in config.chains.values() for url in chain.rpc]
    proxies = {str(origin): find(origin) for origin in map(Origin.of, urls)}
    behind = sorted(origin for origin, proxy in proxies.items() if proxy)
    if not behind:
        return []
    proxy = Origin.of(proxies[behind[0]])
    return [f"{', '.join(behind)}: reached through the proxy {proxy} (HTTPS_PROXY)"]


def _checked(named: str) -> str:
    """The proxy's URL. Its password is in it, so no message repeats it."""
    url = named if "://" in named else f"http://{named}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "http" and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            "HTTPS_PROXY: this is no http:// proxy, and others are not spoken to; set it to "
            "http://HOST:PORT, or name what is reached without it in NO_PROXY"
        )
    return url
