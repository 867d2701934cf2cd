"""What exists behind the sandbox: organisations, facilities and records, how they change, and the demo's holding.

HTTP does not belong here, nor does misbehaviour. This room imports neither `faults` nor `api`.
"""
