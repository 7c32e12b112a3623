"""A certificate that 127.0.0.1 gives itself, for a seller behind TLS.

A process believes it whose SSL_CERT_FILE names it. Made anew for each world: no key is in the tree.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS

# DER's tags.
_BOOLEAN, _INTEGER, _BITS, _OCTETS, _OBJECT_ID, _TEXT, _TIME = 1, 2, 3, 4, 6, 12, 24
_SEQUENCE, _SET, _VERSION, _EXTENSIONS = 0x30, 0x31, 0xA0, 0xA3
# The name and the address among a certificate's names.
_DNS, _IP = 0x82, 0x87
# Nobody resolves it: only a proxy that was told where it is finds it.
NAME = "seller.test"

_ECDSA_WITH_SHA256 = bytes.fromhex("2a8648ce3d040302")
_COMMON_NAME = bytes.fromhex("550403")
_KEY_ID, _KEY_USAGE, _OTHER_NAMES, _CONSTRAINTS = (bytes([0x55, 0x1D, n]) for n in (14, 15, 17, 19))
_YES = b"\xff"
# digitalSignature and keyCertSign, after the number of bits that are not used.
_USAGE = bytes([2, 0b10000100])


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where it and its key are."""

    path: Path
    key_path: Path

    def for_server(self) -> ssl.SSLContext:
        """What a server is told that shows it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path, self.key_path)
        return context

    def for_client(self) -> ssl.SSLContext:
        """What a client is told that believes it and no other."""
        return ssl.create_default_context(cafile=str(self.path))


def make_certificate(folder: Path) -> Certificate:
    """A new one, in this folder."""
    key = ECC.generate(curve="P-256")
    public = key.public_key().export_key(format="DER")
    algorithm = _der(_SEQUENCE, _der(_OBJECT_ID, _ECDSA_WITH_SHA256))
    common_name = _der(_SEQUENCE, _der(_OBJECT_ID, _COMMON_NAME), _der(_TEXT, b"127.0.0.1"))
    name = _der(_SEQUENCE, _der(_SET, common_name))
    body = _der(
        _SEQUENCE,
        _der(_VERSION, _der(_INTEGER, bytes([2]))),
        _der(_INTEGER, bytes([1])),
        algorithm,
        name,
        _der(_SEQUENCE, _der(_TIME, b"20200101000000Z"), _der(_TIME, b"20991231235959Z")),
        name,
        public,
        _der(_EXTENSIONS, _der(_SEQUENCE, *_extensions(public))),
    )
    signature = DSS.new(key, "fips-186-3", "der").sign(SHA256.new(body))
    whole = _der(_SEQUENCE, body, algorithm, _der(_BITS, b"\0", signature))
    path, key_path = folder / "certificate.pem", folder / "certificate.key"
    path.write_text(ssl.DER_cert_to_PEM_cert(whole))
    key_path.write_text(key.export_key(format="PEM"))
    key_path.chmod(0o600)
    return Certificate(path, key_path)


def _extensions(public: bytes) -> list[bytes]:
    """It may sign itself, and is for this address and this name alone."""
    critical = _der(_BOOLEAN, _YES)
    names = _der(_DNS, NAME.encode()) + _der(_IP, bytes([127, 0, 0, 1]))
    return [
        _extension(_CONSTRAINTS, critical, _der(_SEQUENCE, _der(_BOOLEAN, _YES))),
        _extension(_KEY_USAGE, critical, _der(_BITS, _USAGE)),
        _extension(_KEY_ID, b"", _der(_OCTETS, sha1(public).digest())),
        _extension(_OTHER_NAMES, b"", _der(_SEQUENCE, names)),
    ]


def _extension(number: bytes, critical: bytes, value: bytes) -> bytes:
    return _der(_SEQUENCE, _der(_OBJECT_ID, number), critical, _der(_OCTETS, value))


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 + len(digits)]) + digits + content
