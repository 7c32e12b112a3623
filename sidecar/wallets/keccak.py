"""Keccak-256 straight from pycryptodome's C code.

The library's own way to it makes five objects for each hash, and reads its C declarations with a
parser at import: 4 MB and a tenth of a start. Here the same functions are called directly.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from importlib.util import find_spec

_SIZE = 32
_Digest = ctypes.c_char * _SIZE
_CAPACITY = ctypes.c_size_t(2 * _SIZE)
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
    make, absorb = library.keccak_init, library.keccak_absorb
    finish, free = library.keccak_digest, library.keccak_destroy
    make.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_uint8)
    absorb.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
    finish.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint8)
    free.argtypes = (ctypes.c_void_p,)
    at, pointer = ctypes.byref, ctypes.c_void_p

    def hashed(data: bytes) -> bytes:
        state, digest = pointer(), _Digest()
        # Each hash has a state of its own, so that threads need not take turns.
        failed = make(at(state), _CAPACITY, _ROUNDS)
        assert not failed, "no memory for a hash"
        try:
            failed = absorb(state, data, len(data)) or finish(state, digest, _SIZE, _PADDING)
            assert not failed, "a hash that cannot be made"
            return digest.raw
        finally:
            free(state)

    return hashed
