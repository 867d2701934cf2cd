"""The private working file: types landed pages, merges them into versions, and notes what each run did.

The API, publishing and the order of steps belong elsewhere.
"""
