"""`python -m dcycle_pipeline` is `dcycle-pipeline`."""

from dcycle_pipeline.cli import main

main()
