package model

// Change is one decoded message of the topic of persons, or of the topic that
// maps distinct ids to persons. Both are keyed by nothing and arrive in any order:
// of two changes of the same person, or of the same distinct id, the one with the
// higher version counts.
//
// Its slices point into the message or into the decoder: they are valid until the
// decoder's next use and as long as the message is left alone, and must not be
// written to. All text is valid UTF-8.
type Change struct {
	TeamID   int64  // positive
	PersonID []byte // UUID text in lower case, 36 characters
	// DistinctID is nil if the change is a person's. Otherwise it is not empty, and
	// the change maps it to PersonID.
	DistinctID []byte
	Version    int64 // 0 or more
	IsDeleted  bool  // of a tombstone, which is a row like others

	// These are of a person; in a mapping they are zero.

	Properties   []byte // nil is NULL
	IsIdentified bool
	CreatedAt    int64 // microseconds since 1970 UTC, if HasCreatedAt
	HasCreatedAt bool

	// Unloadable says that a JSON column cannot hold Properties; they are as
	// received.
	Unloadable bool
	// mend says that a JSON column can hold Properties once they are mended.
	mend bool
}
