package model

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// ChangeAppender writes changes as rows into the builders of ChangeColumns. It
// belongs to the goroutine that holds the record builder.
type ChangeAppender struct {
	team         *array.Int64Builder
	person       *array.BinaryBuilder
	distinctID   *array.BinaryBuilder
	version      *array.Int64Builder
	isDeleted    *array.BooleanBuilder
	properties   *array.BinaryBuilder
	createdAt    *array.TimestampBuilder
	isIdentified *array.BooleanBuilder

	json    bool
	scratch []byte // holds a mended document until a builder has copied it
}

// NewChangeAppender returns an appender to the columns of b, whose schema must be
// Schema of ChangeColumns; it panics if it is another one. json says that the
// persons table's properties column has the type JSON, so that only what that can
// hold is appended. Records may be cut from b between appends.
func NewChangeAppender(b *array.RecordBuilder, json bool) *ChangeAppender {
	if n := len(ChangeColumns()); len(b.Fields()) != n {
		panic(fmt.Sprintf("model: builder has %d columns; want the %d of changes", len(b.Fields()), n))
	}
	text := func(i int) *array.BinaryBuilder { // a StringBuilder's own Append wants a string
		return b.Field(i).(*array.StringBuilder).BinaryBuilder
	}
	return &ChangeAppender{
		team:         b.Field(0).(*array.Int64Builder),
		person:       text(1),
		distinctID:   text(2),
		version:      b.Field(3).(*array.Int64Builder),
		isDeleted:    b.Field(4).(*array.BooleanBuilder),
		properties:   text(5),
		createdAt:    b.Field(6).(*array.TimestampBuilder),
		isIdentified: b.Field(7).(*array.BooleanBuilder),
		json:         json,
	}
}

// Append adds one row. It says whether the properties were withheld, that is
// replaced by NULL because a JSON column cannot hold them: if so, the caller keeps
// the raw message, so that nothing is lost. All values are copied.
func (a *ChangeAppender) Append(c *Change) (withheld bool) {
	a.team.Append(c.TeamID)
	a.person.Append(c.PersonID)
	a.version.Append(c.Version)
	a.isDeleted.Append(c.IsDeleted)
	if c.DistinctID != nil {
		a.distinctID.Append(c.DistinctID)
		a.properties.AppendNull()
		a.createdAt.AppendNull()
		a.isIdentified.AppendNull()
		return false
	}
	a.distinctID.AppendNull()
	a.isIdentified.Append(c.IsIdentified)
	if c.HasCreatedAt {
		a.createdAt.Append(arrow.Timestamp(c.CreatedAt))
	} else {
		a.createdAt.AppendNull()
	}
	return a.appendProperties(c)
}

func (a *ChangeAppender) appendProperties(c *Change) (withheld bool) {
	switch {
	case c.Properties == nil:
		a.properties.AppendNull()
	case a.json && c.Unloadable:
		a.properties.AppendNull()
		return true
	case a.json && c.mend:
		a.scratch = AppendLoadable(a.scratch[:0], c.Properties)
		a.properties.Append(a.scratch)
	default:
		a.properties.Append(c.Properties)
	}
	return false
}
