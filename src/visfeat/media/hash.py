"""Content hashes: BLAKE2b-128 in hex, of bytes or of a whole file in flat memory."""

from __future__ import annotations

import hashlib
from typing import BinaryIO

_DIGEST_BYTES = 16
_BLOCK_BYTES = 1 << 20


def hash_of_bytes(data: bytes | memoryview) -> str:
    """The 32 hex digits that stand for this content."""
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()


def hash_of_file(file: BinaryIO) -> str:
    """The same digits for all that an open file holds, from its start; raises OSError."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    file.seek(0)
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()
