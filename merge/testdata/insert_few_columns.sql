INSERT INTO `acme-prod.posthog.events` (
  `uuid`,
  `set`
)
SELECT
  `uuid`,
  PARSE_JSON(`set`, wide_number_mode => 'round')
FROM `acme-prod.posthog.tidemark_stage_0198f0a37c1e700080000123456789ab_0123456789abcdef_1`
