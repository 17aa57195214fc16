INSERT INTO `acme-prod.posthog.events` (
  `uuid`,
  `event`,
  `properties`,
  `elements`,
  `set`,
  `set_once`,
  `distinct_id`,
  `team_id`,
  `ip`,
  `site_url`,
  `timestamp`,
  `bq_ingested_timestamp`
)
SELECT
  `uuid`,
  `event`,
  PARSE_JSON(`properties`, wide_number_mode => 'round'),
  `elements`,
  PARSE_JSON(`set`, wide_number_mode => 'round'),
  PARSE_JSON(`set_once`, wide_number_mode => 'round'),
  `distinct_id`,
  `team_id`,
  `ip`,
  `site_url`,
  `timestamp`,
  `bq_ingested_timestamp`
FROM `acme-prod.posthog.tidemark_stage_0198f0a37c1e700080000123456789ab_0123456789abcdef_1`
