"""Talks to the Dcycle API: requests, credentials, retries, and the proof that a list was read whole.

Only this room imports httpx. What an item means belongs to `endpoints`, where pages land to `landing`.
"""
