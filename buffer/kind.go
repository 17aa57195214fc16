package buffer

// Kind says what the records of a topic are.
type Kind uint8

// The kinds of records.
const (
	Events Kind = iota + 1
	Persons
	DistinctIDs // mappings of distinct ids to persons
)

// String returns the kind as it stands in the name of the variable for its topic.
func (k Kind) String() string {
	switch k {
	case Events:
		return "EVENTS"
	case Persons:
		return "PERSONS"
	case DistinctIDs:
		return "DISTINCT_IDS"
	}
	return "UNKNOWN"
}
