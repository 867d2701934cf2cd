"""Finds out whether any of some texts is in a body: two for a single key in its forms, more than a thousand for two hundred organisations."""

from collections.abc import Collection

from ahocorasick_rs import BytesAhoCorasick

# Two keys in all their forms. Python looks for each in 8 to 20 µs in a page of 84 KB; the automaton takes 160 µs for any number.
SOUGHT_ONE_BY_ONE = 12


class Needles:
    """Some texts to look for; none of them is empty.

    >>> Needles([b"secret", b"c2VjcmV0"]).are_in(b'{"note":"c2VjcmV0"}')
    True
    """

    def __init__(self, needles: Collection[bytes]) -> None:
        self._needles = needles
        self._automaton = BytesAhoCorasick(needles) if len(needles) > SOUGHT_ONE_BY_ONE else None

    def __bool__(self) -> bool:
        return bool(self._needles)

    def are_in(self, body: bytes) -> bool:
        """Whether one of them is in the body."""
        if self._automaton is not None:
            return bool(self._automaton.find_matches_as_indexes(body))
        return any(needle in body for needle in self._needles)
