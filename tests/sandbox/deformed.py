"""What a reader has to make of each deformation of the sandbox. How an item is deformed belongs to the sandbox."""

HARMLESS = frozenset({"number_as_text", "date_with_time", "missing_optional", "unknown_field"})
"""A careful reader accepts these items and quarantines all others."""

COSTS_A_FIELD = frozenset({"date_garbage"})
"""Of a facility they spoil a field that no figure is made from: it becomes null, and the row stays."""

RECORDS_ONLY = frozenset({"end_before_start", "wrong_unit", "foreign_facility_id", "out_values_differ"})
"""These change a record and leave a facility as it is."""
