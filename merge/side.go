package merge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tidemark/batch"
)

// Side is a table that tidemark keeps beside those people asked for.
type Side struct {
	Table       string
	Description string
	Columns     []batch.Column
	ClusterBy   []string // up to four columns
}

// The suffixes of the side tables of persons. Their rows are the only memory of versions that did not make it into the
// persons table, so renaming them is a breaking change.
const (
	personSuffix  = "_person_state"
	mappingSuffix = "_distinct_id_state"
)

// personsModel is the model that is merged, as targets name it.
const personsModel = "persons"

// personState holds the latest version of every person, whether or not a distinct id is known for it. It is clustered by
// its key: a merge of keys that are near each other, like those of persons created in one week, reads few blocks.
// Properties are text also where the persons table has JSON: what is kept must not depend on a type people may change.
func personState(t batch.Target) Side {
	return Side{
		Table:       t.Table + personSuffix,
		Description: "Latest version of every person, kept by tidemark to merge " + t.Table + ". Do not change.",
		Columns: []batch.Column{
			{Name: "team_id", Type: "INT64"}, {Name: "person_id", Type: "STRING"}, {Name: "version", Type: "INT64"}, {Name: "is_deleted", Type: "BOOL"},
			{Name: "properties", Type: "STRING"}, {Name: "created_at", Type: "TIMESTAMP"}, {Name: "is_identified", Type: "BOOL"},
		},
		ClusterBy: []string{"team_id", "person_id"},
	}
}

// mappingState holds the latest version of every mapping of a distinct id to a person, whether or not that is known.
func mappingState(t batch.Target) Side {
	return Side{
		Table:       t.Table + mappingSuffix,
		Description: "Latest person of every distinct id, kept by tidemark to merge " + t.Table + ". Do not change.",
		Columns: []batch.Column{
			{Name: "team_id", Type: "INT64"}, {Name: "distinct_id", Type: "STRING"}, {Name: "version", Type: "INT64"}, {Name: "is_deleted", Type: "BOOL"},
			{Name: "person_id", Type: "STRING"},
		},
		ClusterBy: []string{"team_id", "distinct_id"},
	}
}

// statusTable says how far the tables of a dataset are complete, one row per table and consumer group.
func statusTable(t batch.Target) Side {
	return Side{
		Table:       t.StatusTable,
		Description: "How far the tables of this dataset are complete, written by tidemark: every record that the consumer group reads and that came to Kafka before complete_through is in the table.",
		Columns: []batch.Column{
			{Name: "table_name", Type: "STRING"}, {Name: "consumer_group", Type: "STRING"}, {Name: "model", Type: "STRING"}, {Name: "complete_through", Type: "TIMESTAMP"},
			{Name: "last_batch", Type: "STRING"}, {Name: "last_batch_rows", Type: "INT64"}, {Name: "table_created_at", Type: "TIMESTAMP"}, {Name: "updated_at", Type: "TIMESTAMP"},
		},
	}
}

// OwnTables are the tables that tidemark keeps beside t, as far as their names go: the status table, and of persons the side tables
// and the fence. They may not be there.
func OwnTables(t batch.Target) (list []batch.Target) {
	if t.Model == personsModel {
		fence := t
		fence.Table = fenceTable(t).Table
		list = append(SideTables(t), fence)
	}
	if t.StatusTable != "" {
		status := t
		status.Table = t.StatusTable
		list = append(list, status)
	}
	return list
}

// createSide makes a table unless it is there, and returns when it was made.
func createSide(ctx context.Context, w Tables, t batch.Target, side Side) (created time.Time, err error) {
	if err := w.CreateSide(ctx, t.Project, t.Dataset, side); err != nil {
		return created, err
	}
	created, found, err := w.CreatedAt(ctx, t.Project, t.Dataset, side.Table)
	if err == nil && !found {
		err = errors.New("it was created and is gone; does something else delete tables in the dataset?")
	}
	if err != nil {
		return created, fmt.Errorf("table %s.%s.%s: %w", t.Project, t.Dataset, side.Table, err)
	}
	return created, nil
}
