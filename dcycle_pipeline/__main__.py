"""`python -m dcycle_pipeline` is `dcycle-pipeline`: the process made ready for a short life, then the command line."""

import gc

# A command makes many objects, few of them in cycles, and ends soon: with Python's own thresholds (700, 10, 10) a tenth of a
# sync's processor time went into looking for cycles.
GARBAGE_COLLECTION = (100_000, 20, 20)


def main() -> None:
    """Entry point of the program."""
    gc.set_threshold(*GARBAGE_COLLECTION)
    from dcycle_pipeline.cli import main as run  # noqa: PLC0415 - after the above

    run()


if __name__ == "__main__":
    main()
