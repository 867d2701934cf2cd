"""Decodes landed lists, one after the other, until its input ends: `python -m dcycle_pipeline.warehouse.decoding_process`.

Each line of the input is the result of a list as JSON. The answer to it is a line with the places of its batches (see `decoded`), or
null: then something about the list is odd, and whoever loads it decodes it, and says what.
"""

import os
import sys
from pathlib import Path

import msgspec

from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.landing.lists import ListResult
from dcycle_pipeline.warehouse.decode import batches
from dcycle_pipeline.warehouse.decoded import Place, append


def main(facilities_api: str, name: str, landing: str, file: str) -> None:
    """Answer each line. `file` is the descriptor of the file that takes the batches."""
    endpoint = next(each for each in declared(facilities_api) if each.name == name)
    end = 0
    for line in sys.stdin.buffer:
        result = msgspec.json.decode(line, type=ListResult)
        places = _decoded(endpoint, result, Path(landing), int(file), end)
        end = sum(places[-1]) if places else end
        sys.stdout.buffer.write(msgspec.json.encode(places) + b"\n")
        sys.stdout.buffer.flush()


def _decoded(endpoint: Endpoint, result: ListResult, landing: Path, file: int, end: int) -> list[Place] | None:
    places: list[Place] = []
    try:
        for batch in batches(endpoint, [result], landing):
            if batch.quarantined or any(batch.unreadable.values()):
                return None
            places.append(append(file, end, batch.items))
            end = sum(places[-1])
    except UnavailableError:
        return None
    except OSError:
        os.ftruncate(file, end)  # the disk is full, and others need the rest of it
        raise SystemExit(1) from None
    return places


if __name__ == "__main__":
    main(*sys.argv[1:])
