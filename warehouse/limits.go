package warehouse

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"tidemark/batch"
)

// isQueueFull says whether BigQuery takes no more UPDATE, DELETE and MERGE statements for a table just now: 2 run and 20 wait
// (m-lab/etl-gardener issue 293), which newer texts call a quota of jobs, "pending + running"
// (cloud.google.com/bigquery/docs/troubleshoot-quotas, 2026-08-22), or too many of them came in ten seconds. In all of these
// cases the statement had no effect, and waiting for the others is all there is to do.
func isQueueFull(message string) bool {
	message = strings.ToLower(message)
	for _, text := range []string{"too many dml statements outstanding", "total number of dml jobs", "too many table dml"} {
		if strings.Contains(message, text) {
			return true
		}
	}
	return false
}

// isTimeout says whether BigQuery stopped a job because it took longer than TIDEMARK_JOB_TIMEOUT. The text tells it from a job
// that a person cancelled, which has the reason stopped as well.
func isTimeout(reason, message string) bool {
	return (reason == "timeout" || reason == "stopped") && strings.Contains(message, "timed out")
}

// hintGivesWay is for merges that exclude each other for longer than the driver calls expected.
const hintGivesWay = "merges of one table run one after the other, and this one does not get its turn: run fewer replicas, or lengthen TIDEMARK_PERSONS_PERIOD, so that replicas × duration of a merge fit into a period, and see that no other program changes the table or those beside it"

const hintTimeout = "the job did not start or end within TIDEMARK_JOB_TIMEOUT, and the next attempt is made; where jobs wait for long, a reservation helps, and where merges take long, a longer TIDEMARK_JOB_TIMEOUT"

// reasonBilled is of a query that would be billed for more than TIDEMARK_MAX_BYTES_BILLED.
const reasonBilled = "bytesBilledLimitExceeded"

// hintBilled names what is needed. The text is "Query exceeded limit for bytes billed: 163595928. 164626432 or higher required."
// (exmergo/dex issue 320).
func hintBilled(message string) string {
	need := "more"
	if found := regexp.MustCompile(`(\d+) or higher required`).FindStringSubmatch(message); found != nil {
		if n, err := strconv.ParseInt(found[1], 10, 64); err == nil {
			need = fmt.Sprintf("at least %s (%d bytes)", roundedUp(n), n)
		}
	}
	return "the query would be billed for more than TIDEMARK_MAX_BYTES_BILLED allows, and the batch waits, whole: it is tried again once an hour; set TIDEMARK_MAX_BYTES_BILLED to " + need +
		", with room for tables that grow and for the script's other statements, and restart, or empty for no limit; docs/merge-cost.md says what makes merges cheaper"
}

// roundedUp is n in the largest unit of which there are ten at least.
func roundedUp(n int64) batch.Size {
	unit := int64(1)
	for n >= 10*1024*unit {
		unit *= 1024
	}
	return batch.Size((n + unit - 1) / unit * unit)
}
