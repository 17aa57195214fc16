package merge

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"tidemark/batch"
)

// StatusTable keeps the table that tells people how far the others are complete. Every table has one row in it for each consumer
// group that fills it, made once and updated from then on. It is safe for concurrent use.
type StatusTable struct {
	warehouse Warehouse
	group     string // the consumer group

	mu    sync.Mutex
	ready map[string]bool // tables whose row is there, by full name
}

// NewStatusTable returns a StatusTable that has looked at nothing yet.
func NewStatusTable(w Warehouse, group string) *StatusTable {
	return &StatusTable{warehouse: w, group: group, ready: make(map[string]bool)}
}

// Ensure makes the status table and the row of t, unless they are there. It is safe to repeat; a StatusTable that has found
// them once asks no more.
//
// Two INSERTs do not conflict, so the row is made by a job whose ID depends on the tables only, and on when the status
// table was created: whoever comes second attaches to it.
func (s *StatusTable) Ensure(ctx context.Context, t batch.Target) error {
	if s.known(t) {
		return nil
	}
	created, err := createSide(ctx, s.warehouse, t, statusTable(t))
	if err != nil {
		return err
	}
	sql, err := statusRowSQL(t)
	if err != nil {
		return err
	}
	kind := fmt.Sprintf("%s_%d_%08x", kindRow, created.UnixMilli(), crc32.ChecksumIEEE([]byte(s.group)))
	job := tableQuery(t, s.group, kind, sql, batch.Param{Name: "model", Value: t.Model})
	if _, err := s.warehouse.Query(ctx, job); err != nil {
		return fmt.Errorf("make the row of %s in %s: %w", t.Table, t.StatusTable, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready[t.String()] = true
	return nil
}

// Publish says that t holds every record that came to Kafka before through, and which batch came last; last may be nil.
// The instant never goes back, whatever another replica has published. created is when the table was made that is filled; zero says
// that none has taken rows yet, and leaves the column alone. It is safe to repeat.
func (s *StatusTable) Publish(ctx context.Context, t batch.Target, created, through time.Time, last *batch.Manifest) error {
	if err := s.Ensure(ctx, t); err != nil {
		return err
	}
	sql, err := publishSQL(t, last != nil, !created.IsZero())
	if err != nil {
		return err
	}
	job := tableQuery(t, s.group, kindStatus+"_"+uuid.NewString(), sql, batch.Param{Name: "through", Value: through})
	if !created.IsZero() {
		job.Params = append(job.Params, batch.Param{Name: "created", Value: created})
	}
	if last != nil {
		job.Params = append(job.Params, batch.Param{Name: "batch", Value: last.ID.String()}, batch.Param{Name: "rows", Value: rowsOf(last, t)})
	}
	result, err := s.warehouse.Query(ctx, job)
	if err == nil && result.Rows == 0 {
		err = errors.New("the status table has no row for it; the table may have been dropped, and the row is made again")
	}
	if err != nil {
		s.forget(t)
		return fmt.Errorf("publish how far %s is complete: %w", t, err)
	}
	return nil
}

// tableQuery is a job on a table that belongs to no batch; its statement finds the table's row in the status table by
// @table_name and @consumer_group.
func tableQuery(t batch.Target, group, kind, sql string, more ...batch.Param) batch.QueryJob {
	return batch.QueryJob{
		JobRef: batch.TableJob(t, kind), SQL: sql, Labels: map[string]string{"model": t.Model},
		Params: append([]batch.Param{{Name: "table_name", Value: t.Table}, {Name: groupColumn, Value: group}}, more...),
	}
}

// rowsOf returns the rows of the batch that went into t.
func rowsOf(m *batch.Manifest, t batch.Target) (rows int64) {
	for i := range m.Tables {
		if m.Tables[i].Target.String() == t.String() {
			rows += m.Tables[i].Rows()
		}
	}
	return rows
}

func (s *StatusTable) known(t batch.Target) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready[t.String()]
}

func (s *StatusTable) forget(t batch.Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ready, t.String())
}

// statusRowSQL makes the row of a table unless it is there.
func statusRowSQL(t batch.Target) (string, error) {
	status, err := tableSQL(t.Project, t.Dataset, t.StatusTable)
	if err != nil {
		return "", err
	}
	return strings.ReplaceAll(`INSERT INTO {status} (table_name, consumer_group, model, updated_at)
SELECT @table_name, @consumer_group, @model, CURRENT_TIMESTAMP()
FROM UNNEST([1])
WHERE NOT EXISTS (SELECT 1 FROM {status} WHERE table_name = @table_name AND consumer_group = @consumer_group)
`, "{status}", status), nil
}

// groupColumn is the column, and the parameter, of the consumer group.
const groupColumn = "consumer_group"

// publishSQL moves complete_through on, never back, and never ahead of BigQuery's own clock; withBatch says that the last batch is told, too,
// and withCreated when the table was made.
func publishSQL(t batch.Target, withBatch, withCreated bool) (string, error) {
	status, err := tableSQL(t.Project, t.Dataset, t.StatusTable)
	if err != nil {
		return "", err
	}
	sets := ""
	if withBatch {
		sets = "  last_batch = @batch,\n  last_batch_rows = @rows,\n"
	}
	if withCreated {
		sets += "  table_created_at = @created,\n"
	}
	return "UPDATE " + status + " SET\n  complete_through = IF(complete_through > @through, complete_through, LEAST(@through, CURRENT_TIMESTAMP())),\n" + sets +
		"  updated_at = CURRENT_TIMESTAMP()\nWHERE table_name = @table_name AND consumer_group = @consumer_group\n", nil
}
