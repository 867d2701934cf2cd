"""From an answer of the API to a landed file: pages without personal data, and what a run decided about their lists.

Nothing here opens the working file or knows what a table is.
"""
