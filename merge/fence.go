package merge

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tidemark/batch"
)

// fenceSuffix is behind the name of a merged table in that of its fence table. Renaming it is a breaking change: replicas
// with different fence tables do not exclude each other.
const fenceSuffix = "_fence"

// alongside is for how long after the fence table was made merges update the row of the status table as well. Versions
// before the fence table conflict on that row, so replicas of both exclude each other while an upgrade is rolled out.
const alongside = 24 * time.Hour

// fenceTable has one row for good, which every merge of a table updates and nothing else does. BigQuery's conflicts are of
// tables, not rows (cloud.google.com/bigquery/docs/transactions#transaction_concurrency, 2026-08-22): a table that is also
// updated by publications would let each of them cancel a merge.
func fenceTable(t batch.Target) Side {
	return Side{
		Table:       t.Table + fenceSuffix,
		Description: "One row, which merges of " + t.Table + " conflict on, kept by tidemark. Do not change; nothing else may update it.",
		Columns:     []batch.Column{{Name: "last_batch", Type: "STRING"}, {Name: "last_batch_rows", Type: "INT64"}, {Name: "merged_at", Type: "TIMESTAMP"}},
	}
}

// ensureFence makes the fence table and its row, unless they are there, and returns until when merges update the row of the
// status table as well; the zero time means not at all.
//
// Two INSERTs do not conflict, so the row is made by a job whose ID depends on the table only, and on when the fence table was
// created: whoever comes second attaches to it.
func (m *Merger) ensureFence(ctx context.Context, t batch.Target) (until time.Time, err error) {
	created, err := createSide(ctx, m.warehouse, t, fenceTable(t))
	if err != nil {
		return until, err
	}
	sql, err := named(fenceRowSQL, t)
	if err != nil {
		return until, err
	}
	if _, err := m.warehouse.Query(ctx, fencedJob(t, fmt.Sprintf("%s_%d", kindFence, created.UnixMilli()), sql, false)); err != nil {
		return until, fmt.Errorf("make the row of %s%s: %w", t, fenceSuffix, err)
	}
	older, err := m.older(ctx, t, created)
	if older {
		until = created.Add(alongside)
	}
	return until, err
}

// fencedJob is a job on a merged table that belongs to no batch; withStatus says that its script updates the row of the status table.
func fencedJob(t batch.Target, kind, sql string, withStatus bool) batch.QueryJob {
	job := batch.QueryJob{JobRef: batch.TableJob(t, kind), SQL: sql, Labels: map[string]string{"model": t.Model}}
	if withStatus {
		job.Params = []batch.Param{{Name: "table_name", Value: t.Table}}
	}
	return job
}

// older says whether a version before the fence table has merged into t, and may still do so: such a version made the side
// tables without a fence, which is otherwise made first, and conflicts on the status table.
func (m *Merger) older(ctx context.Context, t batch.Target, fence time.Time) (bool, error) {
	side, found, err := m.warehouse.CreatedAt(ctx, t.Project, t.Dataset, personState(t).Table)
	if err != nil || !found || !side.Before(fence) || t.StatusTable == "" {
		return false, err
	}
	_, found, err = m.warehouse.CreatedAt(ctx, t.Project, t.Dataset, t.StatusTable)
	return found, err
}

const fenceRowSQL = `INSERT INTO {fence} (merged_at)
SELECT CURRENT_TIMESTAMP()
FROM UNNEST([1])
WHERE NOT EXISTS (SELECT 1 FROM {fence})
`

// fenceSQL begins a transaction with the row that those of one table conflict on. It comes first: a script that has to give
// way is billed for no more than this.
func fenceSQL(sets string, withStatus bool) string {
	status := ""
	if withStatus {
		status = `UPDATE {status} SET updated_at = CURRENT_TIMESTAMP()
WHERE table_name = @table_name;
`
	}
	return `BEGIN TRANSACTION;

UPDATE {fence} SET ` + sets + `
WHERE TRUE;
` + status + `ASSERT (SELECT COUNT(*) FROM {fence}) = 1 AS 'the fence table does not have one row; stop all replicas and drop it, and it is made again';
`
}

// transaction ends statements, the first of which is the fence, and names the tables of t in them.
func transaction(t batch.Target, statements []string) (string, error) {
	return named(strings.Join(append(statements, "COMMIT TRANSACTION;\n"), "\n"), t)
}

// named puts the names of t's tables in the places of their placeholders.
func named(sql string, t batch.Target) (string, error) {
	for placeholder, table := range map[string]string{
		"{fence}": t.Table + fenceSuffix, "{status}": t.StatusTable, "{persons}": t.Table, "{person_state}": t.Table + personSuffix, "{mapping_state}": t.Table + mappingSuffix,
	} {
		if !strings.Contains(sql, placeholder) {
			continue // a table that there may not be
		}
		name, err := tableSQL(t.Project, t.Dataset, table)
		if err != nil {
			return "", err
		}
		sql = strings.ReplaceAll(sql, placeholder, name)
	}
	return sql, nil
}
