BEGIN TRANSACTION;

UPDATE `acme-prod.posthog.persons_fence` SET last_batch = @batch, last_batch_rows = @rows, merged_at = CURRENT_TIMESTAMP()
WHERE TRUE;
ASSERT (SELECT COUNT(*) FROM `acme-prod.posthog.persons_fence`) = 1 AS 'the fence table does not have one row; stop all replicas and drop it, and it is made again';
ASSERT (SELECT COUNT(*) FROM `acme-prod.posthog.tidemark_stage_0198f0a37c1e700080000123456789ab_0123456789abcdef_1`) = @rows AS 'the stage table does not hold the rows that were loaded into it';
ASSERT EXISTS (SELECT 1 FROM `acme-prod.posthog.persons_person_state` WHERE team_id = 0) AND EXISTS (SELECT 1 FROM `acme-prod.posthog.persons_distinct_id_state` WHERE team_id = 0) AS 'a side table is new and does not know the rows of the persons table yet; if it was emptied by hand, drop it';

MERGE `acme-prod.posthog.persons_person_state` AS t
USING (
  SELECT team_id, person_id, version, is_deleted, IF(is_deleted, NULL, properties) AS properties, created_at, is_identified
  FROM `acme-prod.posthog.tidemark_stage_0198f0a37c1e700080000123456789ab_0123456789abcdef_1`
  WHERE distinct_id IS NULL
  QUALIFY ROW_NUMBER() OVER (PARTITION BY team_id, person_id ORDER BY version DESC) = 1
) AS s
ON t.team_id = s.team_id AND t.person_id = s.person_id
  AND (t.team_id BETWEEN @person_first_team_0 AND @person_last_team_0 AND t.person_id BETWEEN @person_first_0 AND @person_last_0)
WHEN MATCHED AND IFNULL(t.version, -1) < s.version THEN UPDATE SET
  version = s.version, is_deleted = s.is_deleted, properties = s.properties, created_at = s.created_at, is_identified = s.is_identified
WHEN NOT MATCHED THEN
  INSERT (team_id, person_id, version, is_deleted, properties, created_at, is_identified)
  VALUES (s.team_id, s.person_id, s.version, s.is_deleted, s.properties, s.created_at, s.is_identified);

MERGE `acme-prod.posthog.persons_distinct_id_state` AS t
USING (
  SELECT team_id, distinct_id, version, is_deleted, person_id
  FROM `acme-prod.posthog.tidemark_stage_0198f0a37c1e700080000123456789ab_0123456789abcdef_1`
  WHERE distinct_id IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (PARTITION BY team_id, distinct_id ORDER BY version DESC) = 1
) AS s
ON t.team_id = s.team_id AND t.distinct_id = s.distinct_id
  AND (t.team_id BETWEEN @distinct_id_first_team_0 AND @distinct_id_last_team_0 AND t.distinct_id BETWEEN @distinct_id_first_0 AND @distinct_id_last_0)
WHEN MATCHED AND IFNULL(t.version, -1) < s.version THEN UPDATE SET
  version = s.version, is_deleted = s.is_deleted, person_id = s.person_id
WHEN NOT MATCHED THEN
  INSERT (team_id, distinct_id, version, is_deleted, person_id)
  VALUES (s.team_id, s.distinct_id, s.version, s.is_deleted, s.person_id);

ASSERT NOT EXISTS (
  SELECT 1
  FROM `acme-prod.posthog.persons_person_state` AS t
  JOIN (SELECT DISTINCT team_id, person_id FROM `acme-prod.posthog.tidemark_stage_0198f0a37c1e700080000123456789ab_0123456789abcdef_1` WHERE distinct_id IS NULL) AS s
    ON s.team_id = t.team_id AND s.person_id = t.person_id
  AND (t.team_id BETWEEN @person_first_team_0 AND @person_last_team_0 AND t.person_id BETWEEN @person_first_0 AND @person_last_0)
  GROUP BY t.team_id, t.person_id
  HAVING COUNT(*) > 1
) AS 'table `acme-prod.posthog.persons_person_state` has a key of this batch twice; stop all replicas, keep the latest row of each key as the runbook says (A key is in a table twice), and start them again';
ASSERT NOT EXISTS (
  SELECT 1
  FROM `acme-prod.posthog.persons_distinct_id_state` AS t
  JOIN (SELECT DISTINCT team_id, distinct_id FROM `acme-prod.posthog.tidemark_stage_0198f0a37c1e700080000123456789ab_0123456789abcdef_1` WHERE distinct_id IS NOT NULL) AS s
    ON s.team_id = t.team_id AND s.distinct_id = t.distinct_id
  AND (t.team_id BETWEEN @distinct_id_first_team_0 AND @distinct_id_last_team_0 AND t.distinct_id BETWEEN @distinct_id_first_0 AND @distinct_id_last_0)
  GROUP BY t.team_id, t.distinct_id
  HAVING COUNT(*) > 1
) AS 'table `acme-prod.posthog.persons_distinct_id_state` has a key of this batch twice; stop all replicas, keep the latest row of each key as the runbook says (A key is in a table twice), and start them again';

COMMIT TRANSACTION;
