"""Notifications: when one is due after a run has ended, what it says, and sending it.

How things stand is `sync`'s to say. Whoever starts runs calls `endings`; nothing here can make a run fail.
"""
