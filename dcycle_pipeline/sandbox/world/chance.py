"""Decisions that look random and depend on their words alone: not on the order, the thread or the clock."""

import random
from hashlib import blake2b


def chance(*words: object) -> float:
    """A number in [0, 1), the same one for the same words in every process."""
    digest = blake2b("\x1f".join(map(str, words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def dice(*words: object) -> random.Random:
    """A generator that gives the same numbers for the same words."""
    return random.Random("\x1f".join(map(str, words)))
