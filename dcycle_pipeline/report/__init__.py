"""The report: one HTML page, made from the published file alone, that works offline and without a script.

Begin with `writing`. Sections and figures are declared, queries are SQL files, Vega-Lite draws the charts, and a template puts
all of it together. Calculating figures belongs to `summaries`.
"""
