"""`python -m dcycle_pipeline` is `dcycle-pipeline`: the process made ready for a short life, then the command line."""

import gc
import sys
from importlib.abc import MetaPathFinder
from typing import Any

# A command makes many objects, few of them in cycles, and ends soon: with Python's own thresholds (700, 10, 10) a tenth of a
# sync's processor time went into looking for cycles.
GARBAGE_COLLECTION = (100_000, 20, 20)


class WithoutPandas(MetaPathFinder):
    """Says that there is no pandas: DuckDB and pyarrow would load it with the first value that they convert (0.35 s), for nothing."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("the command line has no frames", name=name)


def main() -> None:
    """Entry point of the program."""
    gc.set_threshold(*GARBAGE_COLLECTION)
    sys.meta_path.insert(0, WithoutPandas())
    from dcycle_pipeline.cli import main as run  # noqa: PLC0415 - after the above

    run()


if __name__ == "__main__":
    main()
