package batch

import "errors"

// ErrVoided means that a person has voided the batch: its series of job IDs is used up, and its records are read again.
var ErrVoided = errors.New("the batch was voided; stop all replicas, and finish that with `tidemark batches void ID`")

// Evidence is what BigQuery knows of one table of a batch. A table of a batch is applied by one series of job IDs
// ([ApplyJob]), and nothing is submitted for a batch before it is decided, so any trace of a job proves the decision.
type Evidence struct {
	State EvidenceState `json:"state"`
	// JobID is the job that the state was read from; empty for [NoJob].
	JobID string `json:"job_id,omitempty"`
	// Attempts is how many jobs of the series there are.
	Attempts int `json:"attempts,omitempty"`
	// Rows that BigQuery counted, if State is [Succeeded].
	Rows int64 `json:"rows,omitempty"`
	// Error of the last attempt, if State is [Failed].
	Error string `json:"error,omitempty"`
}

// EvidenceState says how far a table of a batch has come.
type EvidenceState string

// The states of a table of a batch, by what BigQuery shows.
const (
	NoJob     EvidenceState = "no job"    // nothing was ever submitted
	Staged    EvidenceState = "staged"    // a job that comes before the effect was submitted: the stage's load
	Running   EvidenceState = "running"   // the last attempt is not done
	Failed    EvidenceState = "failed"    // the last attempt is done and had no effect
	Succeeded EvidenceState = "succeeded" // the rows are in the table
	Voided    EvidenceState = "voided"    // the series was used up by a person who voided the batch
)

// Decided says whether the state proves that the batch was decided.
func (s EvidenceState) Decided() bool { return s != NoJob && s != Voided }
