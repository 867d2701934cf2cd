"""The private working file: landed pages typed, merged into versions, and the tables that say what each run did.

The API, publishing and the order of steps belong elsewhere.
"""
