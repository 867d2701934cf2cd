"""Decisions that look random and depend on nothing but their words: no order, no thread, no clock."""

import random
from hashlib import blake2b


def chance(*words: object) -> float:
    """A number in [0, 1)."""
    digest = blake2b("\x1f".join(map(str, words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def dice(*words: object) -> random.Random:
    return random.Random("\x1f".join(map(str, words)))
