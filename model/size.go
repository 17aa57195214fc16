package model

// maxGrowth is how many bytes one of a text becomes at most when it is quoted or
// mended: a control character becomes \u00XX.
const maxGrowth = len(`\u0000`)

// RowExceeds says whether the event's row has more than limit bytes in the columns
// of a table, and how many if so. It counts what is written and not what was
// received: elements grow when they are quoted, and a document of a JSON column may
// grow when it is mended. A NULL counts like zero. For nearly all rows it only adds
// lengths.
func (e *Event) RowExceeds(limit int, cols []Selected, src *Source) (size int, exceeds bool) {
	if e.rowBound(src) <= limit {
		return 0, false
	}
	size = e.RowSize(cols, src)
	return size, size > limit
}

// RowSize returns the bytes of the event's row in the columns of a table, exactly
// what an [EventAppender] writes. It reads the texts that grow.
func (e *Event) RowSize(cols []Selected, src *Source) (bytes int) {
	for i := range cols {
		bytes += e.columnSize(&cols[i], src)
	}
	return bytes
}

// rowBound returns bytes that a row does not exceed in any table.
func (e *Event) rowBound(src *Source) int {
	const others = 8*7 + 1 + len(`""`) // numbers, timestamps and a truth value; the quotes of elements
	documents := len(e.Properties) + len(e.Set) + len(e.SetOnce) + len(e.PersonProperties)
	if e.mend != 0 {
		documents *= maxGrowth
	}
	return others + documents + len(e.UUIDText) + len(e.Event) + len(e.DistinctID) + len(e.IP) +
		(1+maxGrowth)*len(e.ElementsChain) + len(e.PersonID) + len(e.PersonMode) + len(src.Topic)
}

func (e *Event) columnSize(col *Selected, src *Source) int {
	switch col.Name {
	case "uuid":
		return len(e.UUIDText)
	case "event":
		return len(e.Event)
	case "properties":
		return e.documentSize(col, e.Properties)
	case "elements":
		return quotedSize(e.ElementsChain)
	case "set":
		return e.documentSize(col, e.Set)
	case "set_once":
		return e.documentSize(col, e.SetOnce)
	case "distinct_id":
		return len(e.DistinctID)
	case "ip":
		return len(e.IP)
	case "person_id":
		return len(e.PersonID)
	case "person_properties":
		return e.documentSize(col, e.PersonProperties)
	case "person_mode":
		return len(e.PersonMode)
	case "elements_chain":
		return len(e.ElementsChain)
	case "_kafka_topic":
		return len(src.Topic)
	}
	return col.Type.size()
}

func (e *Event) documentSize(col *Selected, text []byte) int {
	doc := documentOf(col.Name)
	return documentSize(text, col.Loadable, e.Unloadable&doc != 0, e.mend&doc != 0)
}

// Size returns the bytes of the change's row, exactly what a [ChangeAppender]
// writes; json is what that was made with. A NULL counts like zero.
func (c *Change) Size(json bool) int {
	const others = 8*3 + 2 // team_id, version, created_at, is_deleted, is_identified
	return others + len(c.PersonID) + len(c.DistinctID) + documentSize(c.Properties, json, c.Unloadable, c.mend)
}

// documentSize returns the bytes of a document in a column, which has the type JSON
// if json says so.
func documentSize(text []byte, json, unloadable, mend bool) int {
	switch {
	case json && unloadable:
		return 0 // NULL
	case json && mend:
		return loadableSize(text)
	}
	return len(text)
}

// size returns the bytes of a value of the type, 0 if they differ from value to value.
func (t Type) size() int {
	switch t {
	case Int64, Timestamp:
		return 8
	case Bool:
		return 1
	default:
		return 0
	}
}
