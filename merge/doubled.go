package merge

// What a key that is in a table twice would do: every later merge of it fails, for a MERGE changes no row twice, or one of its
// rows stays old for good. No rule of BigQuery's keeps that from happening, only the fence, and whether the fence holds on the
// real service is known from documentation alone. So each merge looks at the keys that it touches before it commits: a batch
// that would double one has no effect, and a table in which somebody else has doubled one says so. The states are looked at
// before their join is merged, which would fail with a text that does not say where.
//
// Each reads the key columns only, of what the keys' bounds allow.

// doubledSQL asserts that no key of a state that the stage touches is there twice. kind picks the rows of the stage.
func doubledSQL(state, key, kind, bounds string) string {
	return `ASSERT NOT EXISTS (
  SELECT 1
  FROM ` + state + ` AS t
  JOIN (SELECT DISTINCT team_id, ` + key + ` FROM {stage} WHERE ` + kind + `) AS s
    ON s.team_id = t.team_id AND s.` + key + ` = t.` + key + bounds + `
  GROUP BY t.team_id, t.` + key + `
  HAVING COUNT(*) > 1
) AS 'table ` + state + ` has a key of this batch twice; ` + doubledHint + `';
`
}

// doubledPersonsSQL asserts the same of the persons table, whose touched keys are the distinct ids in the stage and all distinct
// ids of the persons in it.
func doubledPersonsSQL(within bounds) string {
	return `ASSERT NOT EXISTS (
  SELECT 1
  FROM {persons} AS t
  LEFT JOIN (SELECT DISTINCT team_id, distinct_id FROM {stage} WHERE distinct_id IS NOT NULL) AS i
    ON i.team_id = t.team_id AND i.distinct_id = t.distinct_id
  LEFT JOIN (SELECT DISTINCT team_id, person_id FROM {stage} WHERE distinct_id IS NULL) AS c
    ON c.team_id = t.team_id AND c.person_id = t.person_id
  WHERE ` + within.team("t") + `
  GROUP BY t.team_id, t.distinct_id
  HAVING COUNT(*) > 1 AND COUNTIF(i.team_id IS NOT NULL OR c.team_id IS NOT NULL) > 0
) AS 'table {persons} has a key of this batch twice; ` + doubledHint + `';
`
}

// doubledHint is read by an operator in the job's error. The batch waits, and nothing of it is in the tables.
const doubledHint = "stop all replicas, keep the latest row of each key as the runbook says (A key is in a table twice), and start them again"
