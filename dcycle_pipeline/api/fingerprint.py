"""What is kept of a proven list, so that a later read sees at once what of it is as it was.

Digests only: no id and no value. How a read uses them belongs to `few_passes`.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

DIGEST_BYTES = 16  # of SHA-256: two pages of different content with one digest will not be met
# SHA-256 takes half of the time that blake2b takes on processors of the last years, as they have instructions for it.


class PagePrint(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One page: the digest of the answer as it `came`, but for what never lands, and of what `landed`; how many rows of each status it has.

    Both digests are empty if the page must be looked at each time. `undeclared` are its fields that no endpoint declares.
    """

    came: str
    landed: str
    statuses: dict[str, int]
    undeclared: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return sum(self.statuses.values())


@dataclass(frozen=True)
class Fingerprint:
    """A proven list. `source` stands for all that decides what a read gives, `ids` is the digest of the set of its `count` ids.

    `pages` are its pages in order, as they lie in the landed file; empty if they do not lie there so. `envelope` is that of the
    first page. `file` is the digest of the landed file, and `pages_at` says from which byte to which it holds the pages.
    """

    source: str
    ids: str
    count: int
    envelope: dict[str, int]
    pages: list[PagePrint]
    file: str = ""
    pages_at: tuple[int, int] = (0, 0)


def digest(content: bytes) -> str:
    """A short name for some bytes, different for different ones."""
    return base64.b64encode(hashlib.sha256(content).digest()[:DIGEST_BYTES]).decode().rstrip("=")


def digest_of_ids(ids: Iterable[str]) -> str:
    """A digest of a set of ids, whatever their order."""
    return digest(msgspec.json.encode(sorted(ids)))
