INSERT INTO `acme-prod.posthog.persons_fence` (merged_at)
SELECT CURRENT_TIMESTAMP()
FROM UNNEST([1])
WHERE NOT EXISTS (SELECT 1 FROM `acme-prod.posthog.persons_fence`)
