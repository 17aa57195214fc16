SELECT
  m.team_id,
  m.distinct_id,
  m.person_id,
  p.properties,
  m.version AS person_distinct_id_version,
  p.version AS person_version,
  p.created_at,
  IFNULL(m.is_deleted, FALSE) OR IFNULL(p.is_deleted, FALSE) AS is_deleted
FROM `acme-prod.posthog.persons_distinct_id_state` AS m
JOIN `acme-prod.posthog.persons_person_state` AS p ON p.team_id = m.team_id AND p.person_id = m.person_id
