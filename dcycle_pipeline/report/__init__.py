"""The report: one HTML page, made from the published file alone, that works offline and without a script.

`writing` is the door; sections and their queries are declared, charts drawn by Vega-Lite, all put together by a template.
"""
