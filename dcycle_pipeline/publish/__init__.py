"""From a finished working file to what others read: checks, the record of the publication, and snapshots.

How the tables are filled belongs to `warehouse` and `summaries`; reading the published file, to `readers`.
"""
