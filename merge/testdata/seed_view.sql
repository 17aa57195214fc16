BEGIN TRANSACTION;

UPDATE `acme-prod.posthog.persons_fence` SET merged_at = CURRENT_TIMESTAMP()
WHERE TRUE;
ASSERT (SELECT COUNT(*) FROM `acme-prod.posthog.persons_fence`) = 1 AS 'the fence table does not have one row; stop all replicas and drop it, and it is made again';

INSERT INTO `acme-prod.posthog.persons_person_state` (team_id, person_id)
SELECT 0, 'seeded'
FROM UNNEST([1])
WHERE NOT EXISTS (SELECT 1 FROM `acme-prod.posthog.persons_person_state` WHERE team_id = 0);

INSERT INTO `acme-prod.posthog.persons_distinct_id_state` (team_id, distinct_id)
SELECT 0, 'seeded'
FROM UNNEST([1])
WHERE NOT EXISTS (SELECT 1 FROM `acme-prod.posthog.persons_distinct_id_state` WHERE team_id = 0);

COMMIT TRANSACTION;
