package warehouse

import (
	"fmt"
	"regexp"
	"strconv"

	"tidemark/batch"
)

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
