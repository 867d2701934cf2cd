"""Ours beside bare httpx and dlt, over the same server in one run: `python -m tests.benchmark peers`.

`world` makes the answers, `server` sends them, `bare` and `with_dlt` are the peers, `children` runs and measures a process of its
own, `published` checks what ours stored, `run` puts it all in turn and prints the table.
"""
