package model

import "fmt"

// Reason is why a message cannot become a row. It is used as the value of a
// metric label and in the rejects files: renaming one is a breaking change.
type Reason string

// The reasons, in the order in which Decode, DecodePerson and DecodeMapping look
// for them.
const (
	ReasonEmpty     Reason = "empty"         // no value at all, a Kafka tombstone
	ReasonTooLarge  Reason = "too_large"     // longer than the decoder's limit
	ReasonJSON      Reason = "not_json"      // not one JSON object
	ReasonTeam      Reason = "no_team"       // team_id missing or not a positive integer
	ReasonUUID      Reason = "bad_uuid"      // uuid, or a person's id, missing or not 36 characters of a UUID
	ReasonTimestamp Reason = "bad_timestamp" // timestamp missing, unreadable or out of BigQuery's range

	ReasonPersonID   Reason = "bad_person_id"  // a mapping's person_id missing or not 36 characters of a UUID
	ReasonVersion    Reason = "bad_version"    // version of a person or mapping is no integer from 0 to 2^63-1
	ReasonDistinctID Reason = "no_distinct_id" // a mapping's distinct_id missing or empty
)

// Reasons returns all reasons, so that their counters can start at zero.
func Reasons() []Reason {
	return []Reason{ReasonEmpty, ReasonTooLarge, ReasonJSON, ReasonTeam, ReasonUUID, ReasonTimestamp,
		ReasonPersonID, ReasonVersion, ReasonDistinctID}
}

// Reject is the error of a message that cannot become a row. Decoding the same
// message again gives the same Reject.
type Reject struct {
	Reason Reason
	// Detail says what was found and what is wanted. It holds positions, lengths
	// and names of fields, never a value, so it may be logged.
	Detail string
}

// Error returns reason and detail.
func (r *Reject) Error() string { return string(r.Reason) + ": " + r.Detail }

func reject(reason Reason, format string, args ...any) *Reject {
	return &Reject{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
