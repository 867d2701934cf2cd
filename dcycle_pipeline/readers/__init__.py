"""Reads the published file, as anybody may: for notebooks, the report and the command line. Nothing here writes."""
