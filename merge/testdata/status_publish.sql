UPDATE `acme-prod.posthog.tidemark_status` SET
  complete_through = IF(complete_through > @through, complete_through, LEAST(@through, CURRENT_TIMESTAMP())),
  updated_at = CURRENT_TIMESTAMP()
WHERE table_name = @table_name AND consumer_group = @consumer_group
