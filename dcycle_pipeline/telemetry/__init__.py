"""What programs learn of a run while it goes on: log lines, traces and metrics.

What people see belongs to `cli` and `orchestration`; who is notified of its end, to `notify`.
"""
