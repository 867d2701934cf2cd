"""Talking to the Dcycle API: requests, credentials, patience and the proof that a walk saw every row."""
