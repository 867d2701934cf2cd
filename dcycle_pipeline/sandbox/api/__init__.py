"""The sandbox as an HTTP server: access, lists, items, totals and refusals, as Dcycle documents them.

What exists belongs to `world`, what goes wrong on purpose to `faults`; this room imports both.
"""
