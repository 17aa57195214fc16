BEGIN TRANSACTION;

UPDATE `acme-prod.posthog.persons_fence` SET merged_at = CURRENT_TIMESTAMP()
WHERE TRUE;
UPDATE `acme-prod.posthog.tidemark_status` SET updated_at = CURRENT_TIMESTAMP()
WHERE table_name = @table_name;
ASSERT (SELECT COUNT(*) FROM `acme-prod.posthog.persons_fence`) = 1 AS 'the fence table does not have one row; stop all replicas and drop it, and it is made again';

MERGE `acme-prod.posthog.persons_person_state` AS t
USING (
  SELECT team_id, person_id, version, is_deleted, properties, created_at, is_identified
  FROM (
    SELECT team_id, person_id, person_version AS version, person_deleted AS is_deleted, properties, created_at, is_identified
    FROM (
    SELECT team_id, distinct_id, person_id, person_version, person_distinct_id_version, properties, created_at, is_identified,
      latest, deleted, COUNTIF(latest AND NOT deleted) OVER (PARTITION BY team_id, person_id) = 0 AS person_deleted
    FROM (
      SELECT team_id, distinct_id, person_id, person_version, person_distinct_id_version, properties AS properties, created_at AS created_at, is_identified AS is_identified,
        IFNULL(is_deleted, FALSE) AS deleted,
        IFNULL(person_version, -1) = MAX(IFNULL(person_version, -1)) OVER (PARTITION BY team_id, person_id) AS latest
      FROM `acme-prod.posthog.persons`
      WHERE team_id IS NOT NULL AND distinct_id IS NOT NULL AND person_id IS NOT NULL
    )
  )
  )
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY team_id, person_id ORDER BY version DESC) = 1
) AS s
ON t.team_id = s.team_id AND t.person_id = s.person_id
WHEN MATCHED AND IFNULL(t.version, -1) < s.version THEN UPDATE SET
  version = s.version, is_deleted = s.is_deleted, properties = s.properties, created_at = s.created_at, is_identified = s.is_identified
WHEN NOT MATCHED THEN
  INSERT (team_id, person_id, version, is_deleted, properties, created_at, is_identified)
  VALUES (s.team_id, s.person_id, s.version, s.is_deleted, s.properties, s.created_at, s.is_identified);

MERGE `acme-prod.posthog.persons_distinct_id_state` AS t
USING (
  SELECT team_id, distinct_id, version, is_deleted, person_id
  FROM (
    SELECT team_id, distinct_id, person_distinct_id_version AS version, latest AND deleted AND NOT person_deleted AS is_deleted, person_id
    FROM (
    SELECT team_id, distinct_id, person_id, person_version, person_distinct_id_version, properties, created_at, is_identified,
      latest, deleted, COUNTIF(latest AND NOT deleted) OVER (PARTITION BY team_id, person_id) = 0 AS person_deleted
    FROM (
      SELECT team_id, distinct_id, person_id, person_version, person_distinct_id_version, properties AS properties, created_at AS created_at, is_identified AS is_identified,
        IFNULL(is_deleted, FALSE) AS deleted,
        IFNULL(person_version, -1) = MAX(IFNULL(person_version, -1)) OVER (PARTITION BY team_id, person_id) AS latest
      FROM `acme-prod.posthog.persons`
      WHERE team_id IS NOT NULL AND distinct_id IS NOT NULL AND person_id IS NOT NULL
    )
  )
  )
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY team_id, distinct_id ORDER BY version DESC) = 1
) AS s
ON t.team_id = s.team_id AND t.distinct_id = s.distinct_id
WHEN MATCHED AND IFNULL(t.version, -1) < s.version THEN UPDATE SET
  version = s.version, is_deleted = s.is_deleted, person_id = s.person_id
WHEN NOT MATCHED THEN
  INSERT (team_id, distinct_id, version, is_deleted, person_id)
  VALUES (s.team_id, s.distinct_id, s.version, s.is_deleted, s.person_id);

INSERT INTO `acme-prod.posthog.persons_person_state` (team_id, person_id)
SELECT 0, 'seeded'
FROM UNNEST([1])
WHERE NOT EXISTS (SELECT 1 FROM `acme-prod.posthog.persons_person_state` WHERE team_id = 0);

INSERT INTO `acme-prod.posthog.persons_distinct_id_state` (team_id, distinct_id)
SELECT 0, 'seeded'
FROM UNNEST([1])
WHERE NOT EXISTS (SELECT 1 FROM `acme-prod.posthog.persons_distinct_id_state` WHERE team_id = 0);

COMMIT TRANSACTION;
