package model

// Source says where a message came from.
type Source struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp int64 // of the Kafka record, microseconds since 1970 UTC
}

// Documents is a set of the JSON documents an event holds.
type Documents uint8

// The JSON documents of an event, one per JSON column.
const (
	PropertiesDocument Documents = 1 << iota
	SetDocument
	SetOnceDocument
	PersonPropertiesDocument
)

// Event is one decoded message of the events topic. Its slices point into the
// message or into the decoder: they are valid until the decoder's next use
// and as long as the message is left alone, and must not be written to. A nil
// slice is NULL; an empty one that is not nil is the empty string. All text is
// valid UTF-8.
type Event struct {
	TeamID   int64    // positive
	UUID     [16]byte // for telling duplicates
	UUIDText []byte   // in lower case, 36 characters

	Event, DistinctID            []byte // never nil
	Properties, Set, SetOnce, IP []byte
	ElementsChain                []byte
	PersonID, PersonMode         []byte
	PersonProperties             []byte

	Timestamp    int64 // microseconds since 1970 UTC, in BigQuery's range
	CreatedAt    int64 // microseconds since 1970 UTC, if HasCreatedAt
	HasCreatedAt bool

	HistoricalMigration bool

	// Unloadable holds the documents of Properties, Set and SetOnce that a JSON
	// column cannot hold; they are as received. PersonProperties is only looked
	// at when it is appended to a JSON column.
	Unloadable Documents
	// mend holds the documents that a JSON column can hold once mended.
	mend Documents
}
