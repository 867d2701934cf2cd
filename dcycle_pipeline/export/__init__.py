"""Files that a person asks for: a workbook for who has nothing else, made from the published file, and what other tools need to know
of that file, made from the declarations.

What each publication is sent to by itself belongs to `publish`; the report, to `report`.
"""
