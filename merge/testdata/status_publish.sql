UPDATE `acme-prod.posthog.tidemark_status` SET
  complete_through = GREATEST(IFNULL(complete_through, @through), @through),
  updated_at = CURRENT_TIMESTAMP()
WHERE table_name = @table_name
