"""Files that a person asks for, made from the published file: a workbook for who has nothing else.

What each publication is sent to by itself belongs to `publish`; the report, to `report`.
"""
