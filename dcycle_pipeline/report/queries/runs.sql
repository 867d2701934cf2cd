-- The last 10 publications.
SELECT published_at, outcome, organizations_count, rows_count, lists_proven_count, lists_unproven_count, quarantined_count,
    content_changed, count(*) OVER () AS in_all
FROM sync.runs
WHERE published_at IS NOT NULL
ORDER BY published_at DESC
LIMIT 10
