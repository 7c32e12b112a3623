"""What a command that is run beside the sidecar finds in its environment, and what it does not."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sidecar.config.model import Config
from sidecar.config.secrets import secret_variables
from sidecar.config.wallets import KEY_VARIABLES

LOOPBACK = "127.0.0.1,localhost,::1"

# What the SDKs read.
_URLS = ("OPENAI_BASE_URL", "OPENAI_API_BASE")  # with /v1
_BARE_URL = "ANTHROPIC_BASE_URL"  # whose SDK adds /v1 itself
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
# It would be sent to the sidecar in the place of the token.
_RIVALS = ("ANTHROPIC_AUTH_TOKEN",)
_PROXIES = frozenset({"http_proxy", "all_proxy"})
_NO_PROXY = ("no_proxy", "NO_PROXY")


def withheld_variables(config: Config) -> frozenset[str]:
    """Every variable that holds a secret of the sidecar's, or may."""
    keys = (variable for variable, _ in KEY_VARIABLES.values())
    return frozenset({*secret_variables(config), *keys})


def child_environment(
    environ: Mapping[str, str], withheld: Collection[str], url: str, token: str
) -> dict[str, str]:
    """``environ`` without what is withheld, and with where the sidecar is. ``url`` has no /v1."""
    kept = {
        name: value
        for name, value in environ.items()
        if name not in withheld and name not in _RIVALS
    }
    if any(name.lower() in _PROXIES for name in kept):
        # Else the app would call us by way of its proxy, and show it the token.
        for name in _NO_PROXY:
            kept[name] = ",".join(filter(None, (kept.get(name), LOOPBACK)))
    return {
        **kept,
        **dict.fromkeys(_URLS, f"{url}/v1"),
        _BARE_URL: url,
        **dict.fromkeys(_KEYS, token),
    }
