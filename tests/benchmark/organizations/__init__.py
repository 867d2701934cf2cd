"""Many organisations in one sync, some of them in trouble: `python -m tests.benchmark organizations`.

`world` makes the organisations and their trouble, `server` serves them by the sandbox in a process of its own, `run` measures whole
syncs of them in turn and prints the tables.
"""
