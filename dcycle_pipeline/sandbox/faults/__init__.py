"""How the sandbox misbehaves: its switches, faults on the connection, items that are not as documented.

How a request is answered if nothing is wrong belongs to `api`. This room imports `world` and not `api`.
"""
