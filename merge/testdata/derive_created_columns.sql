BEGIN TRANSACTION;

UPDATE `acme-prod.posthog.persons_fence` SET merged_at = CURRENT_TIMESTAMP()
WHERE TRUE;
ASSERT (SELECT COUNT(*) FROM `acme-prod.posthog.persons_fence`) = 1 AS 'the fence table does not have one row; stop all replicas and drop it, and it is made again';
ASSERT EXISTS (SELECT 1 FROM `acme-prod.posthog.persons_person_state` WHERE team_id = 0) AND EXISTS (SELECT 1 FROM `acme-prod.posthog.persons_distinct_id_state` WHERE team_id = 0) AS 'a side table is new and does not know the rows of the persons table yet; if it was emptied by hand, drop it';

MERGE `acme-prod.posthog.persons` AS t
USING (
  SELECT
    p.person_id IS NOT NULL AS known,
    m.deleted AS mapping_deleted,
    IFNULL(p.deleted, FALSE) AS person_deleted,
    m.deleted OR IFNULL(p.deleted, FALSE) AS is_deleted,
    m.team_id,
    m.distinct_id,
    m.person_id,
    p.properties,
    m.version AS person_distinct_id_version,
    p.version AS person_version,
    p.created_at
  FROM (
    SELECT d.team_id, d.distinct_id, d.person_id, d.version, IFNULL(d.is_deleted, FALSE) AS deleted
    FROM `acme-prod.posthog.persons_distinct_id_state` AS d
    WHERE d.team_id <> 0
  ) AS m
  LEFT JOIN (
    SELECT team_id, person_id, version, properties, created_at, is_identified, IFNULL(is_deleted, FALSE) AS deleted
    FROM `acme-prod.posthog.persons_person_state` AS a
    WHERE TRUE
  ) AS p
    ON p.team_id = m.team_id AND p.person_id = m.person_id
) AS s
ON t.team_id = s.team_id AND t.distinct_id = s.distinct_id AND TRUE
WHEN MATCHED AND NOT s.known AND t.person_id IS DISTINCT FROM s.person_id AND IFNULL(t.person_distinct_id_version, -1) < IFNULL(s.person_distinct_id_version, -1) THEN DELETE
WHEN MATCHED AND IFNULL(t.person_distinct_id_version, -1) < IFNULL(s.person_distinct_id_version, -1) AND (t.person_id IS DISTINCT FROM s.person_id OR IFNULL(t.person_version, -1) < IFNULL(s.person_version, -1)) THEN UPDATE SET
  `is_deleted` = s.is_deleted, `person_id` = s.`person_id`, `person_distinct_id_version` = s.`person_distinct_id_version`, `properties` = s.`properties`, `person_version` = s.`person_version`, `created_at` = s.`created_at`
WHEN MATCHED AND IFNULL(t.person_distinct_id_version, -1) < IFNULL(s.person_distinct_id_version, -1) THEN UPDATE SET
  `is_deleted` = s.mapping_deleted OR IF(IFNULL(t.person_version, -1) <= s.person_version, s.person_deleted, IFNULL(t.is_deleted, FALSE)), `person_distinct_id_version` = s.`person_distinct_id_version`
WHEN MATCHED AND t.person_id = s.person_id AND IFNULL(t.person_version, -1) < IFNULL(s.person_version, -1) THEN UPDATE SET
  `is_deleted` = s.person_deleted OR s.mapping_deleted AND IFNULL(t.person_distinct_id_version, -1) <= IFNULL(s.person_distinct_id_version, -1), `properties` = s.`properties`, `person_version` = s.`person_version`, `created_at` = s.`created_at`
WHEN NOT MATCHED AND s.known THEN
  INSERT (`team_id`, `distinct_id`, `person_id`, `properties`, `person_distinct_id_version`, `person_version`, `created_at`, `is_deleted`)
  VALUES (s.`team_id`, s.`distinct_id`, s.`person_id`, s.`properties`, s.`person_distinct_id_version`, s.`person_version`, s.`created_at`, s.`is_deleted`);

COMMIT TRANSACTION;
