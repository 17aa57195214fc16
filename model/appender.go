package model

import "fmt"

// EventAppender writes events as rows into a builder of one table's columns. It
// belongs to the goroutine that holds the builder.
type EventAppender struct {
	cells []cell
	row   row
}

// row is what one row is made from.
type row struct {
	*Event
	source     *Source
	ingestedAt int64

	withheld Documents
	scratch  []byte // holds a text until a builder has copied it
}

// cell is one column: put appends its value.
type cell struct {
	*ColumnBuilder
	put func(*cell, *row)
	doc Documents // the document of a column whose type in the table is JSON
}

// NewEventAppender returns an appender to the columns of b, whose schema must be
// Schema(cols). It panics if a column is not one of EventColumns, which is a
// fault of whoever selected it. Records may be cut from b between appends.
func NewEventAppender(b *Builder, cols []Selected) *EventAppender {
	a := &EventAppender{cells: make([]cell, len(cols))}
	for i, c := range cols {
		a.cells[i] = newCell(b.Column(i), c)
	}
	return a
}

func newCell(b *ColumnBuilder, col Selected) cell {
	c := cell{ColumnBuilder: b, put: documentedCell(col.Name)}
	if c.put == nil {
		c.put = optionalCell(col.Name)
	}
	if c.put == nil {
		panic(fmt.Sprintf("model: column %q is not one of the events model", col.Name))
	}
	if col.Loadable {
		c.doc = documentOf(col.Name)
	}
	return c
}

// Append adds one row. ingestedAt is the value of bq_ingested_timestamp in
// microseconds since 1970 UTC. It returns the documents that were replaced by
// NULL because a JSON column cannot hold them: if any, the caller keeps the raw
// message, so that nothing is lost. All values are copied.
func (a *EventAppender) Append(e *Event, src *Source, ingestedAt int64) Documents {
	r := &a.row
	r.Event, r.source, r.ingestedAt, r.withheld = e, src, ingestedAt, 0
	for i := range a.cells {
		c := &a.cells[i]
		c.put(c, r)
	}
	r.Event, r.source = nil, nil // they are not the appender's to keep
	return r.withheld
}

func documentedCell(column string) func(*cell, *row) {
	switch column {
	case "uuid":
		return func(c *cell, r *row) { c.putText(r.UUIDText) }
	case "event":
		return func(c *cell, r *row) { c.putText(r.Event.Event) }
	case "properties":
		return func(c *cell, r *row) { c.putDocument(r, r.Properties) }
	case "elements":
		return func(c *cell, r *row) {
			r.scratch = appendQuoted(r.scratch[:0], r.ElementsChain)
			c.AppendText(r.scratch)
		}
	case "set":
		return func(c *cell, r *row) { c.putDocument(r, r.Set) }
	case "set_once":
		return func(c *cell, r *row) { c.putDocument(r, r.SetOnce) }
	case "distinct_id":
		return func(c *cell, r *row) { c.putText(r.DistinctID) }
	case "team_id":
		return func(c *cell, r *row) { c.AppendInt(r.TeamID) }
	case "ip":
		return func(c *cell, r *row) { c.putText(r.IP) }
	case "site_url":
		return func(c *cell, _ *row) { c.AppendText(nil) } // the empty string, not NULL
	case "timestamp":
		return func(c *cell, r *row) { c.AppendInt(r.Timestamp) }
	case "bq_ingested_timestamp":
		return func(c *cell, r *row) { c.AppendInt(r.ingestedAt) }
	}
	return nil
}

func optionalCell(column string) func(*cell, *row) {
	switch column {
	case "person_id":
		return func(c *cell, r *row) { c.putText(r.PersonID) }
	case "person_properties":
		return func(c *cell, r *row) { c.putDocument(r, r.PersonProperties) }
	case "person_mode":
		return func(c *cell, r *row) { c.putText(r.PersonMode) }
	case "created_at":
		return func(c *cell, r *row) {
			if !r.HasCreatedAt {
				c.AppendNull()
				return
			}
			c.AppendInt(r.CreatedAt)
		}
	case "elements_chain":
		return func(c *cell, r *row) { c.putText(r.ElementsChain) }
	case "historical_migration":
		return func(c *cell, r *row) { c.AppendBool(r.HistoricalMigration) }
	case "_kafka_topic":
		return func(c *cell, r *row) { c.AppendString(r.source.Topic) }
	case "_kafka_partition":
		return func(c *cell, r *row) { c.AppendInt(int64(r.source.Partition)) }
	case "_kafka_offset":
		return func(c *cell, r *row) { c.AppendInt(r.source.Offset) }
	case "_kafka_timestamp":
		return func(c *cell, r *row) { c.AppendInt(r.source.Timestamp) }
	}
	return nil
}

func documentOf(column string) Documents {
	switch column {
	case "properties":
		return PropertiesDocument
	case "set":
		return SetDocument
	case "set_once":
		return SetOnceDocument
	case "person_properties":
		return PersonPropertiesDocument
	}
	return 0
}

// putDocument appends a document, for a JSON column only what that can hold.
func (c *cell) putDocument(r *row, text []byte) {
	switch {
	case r.Unloadable&c.doc != 0:
		r.withheld |= c.doc
		c.AppendNull()
	case r.mend&c.doc != 0:
		r.scratch = AppendLoadable(r.scratch[:0], text)
		c.AppendText(r.scratch)
	default:
		c.putText(text)
	}
}

func (c *cell) putText(v []byte) {
	if v == nil {
		c.AppendNull()
		return
	}
	c.AppendText(v)
}
