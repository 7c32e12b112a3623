"""Where money and credentials may be sent: absolute, plain, and encrypted unless it stays here."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from sidecar.config.addresses import is_loopback
from sidecar.config.fields import Field

URL_LETTERS_MAX = 2048

_VISIBLE = re.compile(r"[!-~]+", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", re.ASCII)
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*", re.ASCII)

_EXAMPLE = "write it like https://api.example.com"


def read_url(field: Field, *, insecure: bool, query: bool = False) -> str:
    """The URL at ``field``, without a slash at its end; "" with a mistake noted if it is not one.

    ``insecure`` allows plain http to another machine; ``query`` allows a query, where RPC
    vendors put keys. What is written is never repeated in the message: it may hold a secret.
    """
    text = field.text(fix=_EXAMPLE)
    if not text:
        return ""
    wrong = _wrong(text, insecure=insecure, query=query)
    if wrong is not None:
        field.mistake(*wrong)
        return ""
    parts = urlsplit(text)
    path = parts.path if parts.query else parts.path.rstrip("/")
    return parts._replace(netloc=parts.netloc.lower(), path=path).geturl()


def _wrong(text: str, *, insecure: bool, query: bool) -> tuple[str, str] | None:
    """What is wrong with a URL, and the fix; None when nothing is."""
    if _VISIBLE.fullmatch(text) is None or len(text) > URL_LETTERS_MAX:
        return "not a URL", f"{_EXAMPLE}, in ASCII and without spaces"
    try:
        parts = urlsplit(text)
        port_is_right = parts.port != 0
    except ValueError:
        return "not a URL: its host or port is wrong", "use a port from 1 to 65535"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "not an absolute http(s) URL", _EXAMPLE
    if not port_is_right or parts.netloc.endswith(":"):
        return "not a port", "use a port from 1 to 65535"
    if "@" in parts.netloc:
        return "a URL that holds a user name or password", "remove the part before the @"
    # An IPv6 host was checked when its brackets were split off.
    if not parts.netloc.startswith("[") and _HOST.fullmatch(parts.hostname) is None:
        return "not a host name", _EXAMPLE
    if "#" in text or ("?" in text and not query):
        return "a URL with a query or fragment", "remove everything from the ? or # on"
    if _path_is_wrong(parts):
        return "a path with empty, dotted or escaped segments", "write the path out plainly"
    if parts.scheme == "http" and not insecure and not is_loopback(parts.hostname):
        return (
            "http:// to another machine is readable and changeable on its way",
            "use https://, or set insecure: true beside it",
        )
    return None


def _path_is_wrong(parts: SplitResult) -> bool:
    path = parts.path.removesuffix("/")
    return _PATH.fullmatch(path) is None or bool({".", ".."} & set(path.split("/")))
