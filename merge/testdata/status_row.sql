INSERT INTO `acme-prod.posthog.tidemark_status` (table_name, model, updated_at)
SELECT @table_name, @model, CURRENT_TIMESTAMP()
FROM UNNEST([1])
WHERE NOT EXISTS (SELECT 1 FROM `acme-prod.posthog.tidemark_status` WHERE table_name = @table_name)
