package merge

import (
	"strconv"

	"tidemark/batch"
)

// The kinds of jobs in job IDs, beside [batch.ApplyJob]. Changing one is a breaking change for batches in flight.
const (
	kindStage  = "stage"
	kindRow    = "row"    // of the status table
	kindFence  = "fence"  // its row
	kindSeed   = "seed"   // of the side tables
	kindDerive = "derive" // of the persons table, from them
	kindStatus = "status" // not of a batch
)

// stage is the n-th stage table of a table of a batch, from 1. All but the first are needed only where an earlier one
// was lost after its load.
type stage struct {
	manifest *batch.Manifest
	table    *batch.Table
	n        int
	columns  []batch.Column
	fresh    bool // this very call has loaded it
}

func (s stage) name() string { return batch.StageTable(s.manifest.ID, s.table.Target, s.n) }

// job names the load of the stage: each stage has its own, so that a load that was done for one is never taken for
// another's.
func (s stage) job() batch.JobRef {
	kind := kindStage
	if s.n > 1 {
		kind += strconv.Itoa(s.n)
	}
	return batch.JobOf(s.manifest.ID, s.table.Target, kind)
}

// load is the job that fills the stage. It fails unless the table is empty, so that a name used by anything else cannot
// smuggle rows in.
func (s stage) load(bucket string) batch.LoadJob {
	return batch.LoadJob{
		JobRef: s.job(), Dataset: s.table.Target.Dataset, Table: s.name(), Empty: true,
		URIs: s.table.URIs(bucket), Columns: s.columns, Labels: batch.Labels(s.manifest, s.table),
	}
}

// stageColumns are the target's, with the JSON documents as the text they are in the parts.
func stageColumns(t batch.Target) []batch.Column {
	columns := make([]batch.Column, len(t.Columns))
	for i, c := range t.Columns {
		if c.Type == batch.JSONType {
			c.Type = "STRING"
		}
		columns[i] = c
	}
	return columns
}
