package batch

import "fmt"

// State is where a batch stands.
//
//	Sealed ──▶ Stored ──▶ Prepared ──▶ Applied ──▶ Committed
//	   └──────────┴─▶ Dropped
//	Found ──▶ Prepared | Applied | Void
//
// Before Prepared the batch never happened; from Prepared on it will be applied, by whoever holds its partitions.
type State uint8

// The states; the comment of [State] has their order.
const (
	Sealed    State = iota + 1 // offsets are fixed; the last rows may still be in memory
	Stored                     // all parts and the manifest are in the bucket
	Prepared                   // decided: every partition's commit metadata names the batch
	Applied                    // every table holds its rows
	Committed                  // the end offsets are committed, or other replicas hold the partitions
	Dropped                    // never prepared; its records are consumed again
	Found                      // named by a partition's commit metadata, not yet judged
	Void                       // found, but never decided; its name is cleared from the metadata
)

// String returns the state in lower case, as it appears in logs, metrics and /status.
func (s State) String() string {
	names := [...]string{Sealed: "sealed", Stored: "stored", Prepared: "prepared", Applied: "applied",
		Committed: "committed", Dropped: "dropped", Found: "found", Void: "void"}
	if int(s) < len(names) && names[s] != "" {
		return names[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// transitions lists, for every state, the states that may follow.
func transitions(s State) []State {
	switch s {
	case Sealed:
		return []State{Stored, Dropped}
	case Stored:
		return []State{Prepared, Dropped}
	case Prepared:
		return []State{Applied}
	case Applied:
		return []State{Committed}
	case Found:
		return []State{Prepared, Applied, Void}
	default: // Committed, Dropped, Void: the end
		return nil
	}
}
