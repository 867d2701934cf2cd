"""Which row an item is, also one that cannot be used. Its columns belong to `decode`."""

import msgspec


def identity_of(raw: bytes) -> str | None:
    """The id of an item, which is given as JSON text; None if it has no id, or one that is not a text."""
    try:
        identifier = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("id")
        return msgspec.json.decode(identifier, type=str) if identifier is not None else None
    except msgspec.DecodeError:
        return None
