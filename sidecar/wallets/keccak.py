"""Keccak-256, straight from pycryptodome's C code where that is as we know it.

The library's own way to it makes five objects for each hash, and reads its C declarations with a
parser at import: 4 MB and a tenth of a start. Here the same functions are called directly.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from importlib.util import find_spec

_SIZE = ctypes.c_size_t(32)
_Digest = ctypes.c_char * 32
_CAPACITY = ctypes.c_size_t(64)
_ROUNDS = ctypes.c_uint8(24)
# Keccak's own, from before SHA-3 chose another.
_PADDING = ctypes.c_uint8(0x01)
_EMPTY = bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")


def native(extension: str = "Crypto.Hash._keccak") -> Callable[[bytes], bytes] | None:
    """Keccak-256 by the C functions in this extension; None where they are not as expected."""
    spec = find_spec(extension)
    if spec is None or spec.origin is None:
        return None
    try:
        # PyDLL: what takes a microsecond is not worth giving up the interpreter's lock for.
        library = ctypes.PyDLL(spec.origin)
        hashed = _binding(library)
    except (OSError, AttributeError):
        return None
    return hashed if hashed(b"") == _EMPTY else None


def _binding(library: ctypes.PyDLL) -> Callable[[bytes], bytes]:
    make, reset = library.keccak_init, library.keccak_reset
    absorb, finish = library.keccak_absorb, library.keccak_digest
    make.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_uint8)
    absorb.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
    # The others take only what is of C's own types already, and to have it checked takes longer
    # than their work. As many as threads have hashed at once.
    spare: list[tuple[ctypes.c_void_p, ctypes.Array[ctypes.c_char]]] = []

    def hashed(data: bytes) -> bytes:
        # Each hash has a state for itself, so that threads need not take turns.
        try:
            state, digest = spare.pop()
        except IndexError:
            state, digest = ctypes.c_void_p(), _Digest()
            failed = make(ctypes.byref(state), _CAPACITY, _ROUNDS)
            assert not failed, "no memory for a hash"
        failed = (
            reset(state) or absorb(state, data, len(data)) or finish(state, digest, _SIZE, _PADDING)
        )
        assert not failed, "a hash that cannot be made"
        made = digest.raw
        spare.append((state, digest))
        return made

    return hashed


def by_library(data: bytes) -> bytes:
    """Keccak-256 by the library's own way, which is slow to import, and rarely needed."""
    from Crypto.Hash import keccak  # noqa: PLC0415 - see above

    return keccak.new(digest_bits=256, data=data).digest()


keccak256 = native() or by_library
