-- The last 10 publications.
SELECT published_at, CASE outcome WHEN 'published' THEN 'complete' WHEN 'published_with_gaps' THEN 'incomplete'
    WHEN 'rolled_back' THEN 'an earlier one put back' ELSE outcome END AS outcome, organizations_count, rows_count, lists_proven_count, lists_unproven_count, quarantined_count,
    content_changed, count(*) OVER (PARTITION BY true) AS in_all
FROM sync.runs
WHERE published_at IS NOT NULL
ORDER BY published_at DESC
LIMIT 10
