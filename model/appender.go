package model

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// EventAppender writes events as rows into the builders of one table's columns.
// It belongs to the goroutine that holds the record builder.
type EventAppender struct {
	cells []cell
	// mended holds a document or a quoted string until it is copied by a builder.
	mended []byte
}

// cell is one column of the row: its name decides the value, its type which of
// the builders is set.
type cell struct {
	name    string
	doc     Documents // the document a JSON column of the table holds, else none
	text    *array.BinaryBuilder
	integer *array.Int64Builder
	boolean *array.BooleanBuilder
	instant *array.TimestampBuilder
}

// NewEventAppender returns an appender to the columns of b, whose schema must be
// Schema(cols). It panics if a column is not one of EventColumns, which is a
// fault of whoever selected it. Records may be cut from b between appends.
func NewEventAppender(b *array.RecordBuilder, cols []Selected) *EventAppender {
	a := &EventAppender{cells: make([]cell, len(cols))}
	known := map[string]bool{}
	for _, c := range EventColumns() {
		known[c.Name] = true
	}
	for i, c := range cols {
		if !known[c.Name] {
			panic(fmt.Sprintf("model: column %q is not one of the events model", c.Name))
		}
		a.cells[i] = newCell(b.Field(i), c)
	}
	return a
}

func newCell(b array.Builder, col Selected) cell {
	c := cell{name: col.Name}
	if col.Loadable {
		c.doc = documentOf(col.Name)
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		c.text = b.BinaryBuilder
	case *array.Int64Builder:
		c.integer = b
	case *array.BooleanBuilder:
		c.boolean = b
	case *array.TimestampBuilder:
		c.instant = b
	default:
		panic(fmt.Sprintf("model: column %q has a builder of type %s", col.Name, b.Type()))
	}
	return c
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

// Append adds one row. ingestedAt is the value of bq_ingested_timestamp in
// microseconds since 1970 UTC. It returns the documents that were replaced by
// NULL because a JSON column cannot hold them: if any, the caller keeps the raw
// message, so that nothing is lost. Values are copied.
func (a *EventAppender) Append(e *Event, src *Source, ingestedAt int64) Documents {
	var withheld Documents
	for i := range a.cells {
		c := &a.cells[i]
		switch c.name {
		case "uuid":
			c.appendText(e.UUIDText)
		case "event":
			c.appendText(e.Event)
		case "properties":
			withheld |= a.appendDocument(c, e, e.Properties)
		case "elements":
			a.mended = appendQuoted(a.mended[:0], e.ElementsChain)
			c.appendText(a.mended)
		case "set":
			withheld |= a.appendDocument(c, e, e.Set)
		case "set_once":
			withheld |= a.appendDocument(c, e, e.SetOnce)
		case "distinct_id":
			c.appendText(e.DistinctID)
		case "team_id":
			c.integer.Append(e.TeamID)
		case "ip":
			c.appendText(e.IP)
		case "site_url":
			c.appendText([]byte{})
		case "timestamp":
			c.instant.Append(arrow.Timestamp(e.Timestamp))
		case "bq_ingested_timestamp":
			c.instant.Append(arrow.Timestamp(ingestedAt))
		case "person_id":
			c.appendText(e.PersonID)
		case "person_properties":
			withheld |= a.appendDocument(c, e, e.PersonProperties)
		case "person_mode":
			c.appendText(e.PersonMode)
		case "created_at":
			if e.HasCreatedAt {
				c.instant.Append(arrow.Timestamp(e.CreatedAt))
			} else {
				c.instant.AppendNull()
			}
		case "elements_chain":
			c.appendText(e.ElementsChain)
		case "historical_migration":
			c.boolean.Append(e.HistoricalMigration)
		case "_kafka_topic":
			c.appendText([]byte(src.Topic))
		case "_kafka_partition":
			c.integer.Append(int64(src.Partition))
		case "_kafka_offset":
			c.integer.Append(src.Offset)
		case "_kafka_timestamp":
			c.instant.Append(arrow.Timestamp(src.Timestamp))
		}
	}
	return withheld
}

func (a *EventAppender) appendDocument(c *cell, e *Event, text []byte) Documents {
	if e.Unloadable&c.doc != 0 && text != nil {
		c.text.AppendNull()
		return c.doc
	}
	c.appendText(text)
	return 0
}

func (c *cell) appendText(v []byte) {
	if v == nil {
		c.text.AppendNull()
		return
	}
	c.text.Append(v)
}

func appendQuoted(dst, s []byte) []byte {
	return fmt.Appendf(dst, "%q", s)
}
