INSERT INTO `acme-prod.posthog.tidemark_status` (table_name, consumer_group, model, updated_at)
SELECT @table_name, @consumer_group, @model, CURRENT_TIMESTAMP()
FROM UNNEST([1])
WHERE NOT EXISTS (SELECT 1 FROM `acme-prod.posthog.tidemark_status` WHERE table_name = @table_name AND consumer_group = @consumer_group)
