"""The acts of a run, from its begin to its publication, and what heals a folder. The only room that orders steps.

How a list is read, a table merged or a file published belongs to the rooms above; Dagster and the terminal to those below.
"""
