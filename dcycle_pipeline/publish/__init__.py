"""A finished working file → what others read. One destination so far: a DuckDB file (`duckdb_file`)."""
