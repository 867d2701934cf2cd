"""From an answer of the API to a landed file: lists, their pages without personal data, and what a run decided about them.

Nothing here opens the working file or knows what a table is.
"""
