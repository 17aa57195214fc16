package model

import "fmt"

// ChangeAppender writes changes as rows into a builder of ChangeColumns. It
// belongs to the goroutine that holds the builder.
type ChangeAppender struct {
	team         *ColumnBuilder
	person       *ColumnBuilder
	distinctID   *ColumnBuilder
	version      *ColumnBuilder
	isDeleted    *ColumnBuilder
	properties   *ColumnBuilder
	createdAt    *ColumnBuilder
	isIdentified *ColumnBuilder

	json    bool
	scratch []byte // holds a mended document until a builder has copied it
}

// NewChangeAppender returns an appender to the columns of b, whose schema must be
// Schema of ChangeColumns; it panics if it is another one. json says that the
// persons table's properties column has the type JSON, so that only what that can
// hold is appended. Records may be cut from b between appends.
func NewChangeAppender(b *Builder, json bool) *ChangeAppender {
	if n := len(ChangeColumns()); b.Columns() != n {
		panic(fmt.Sprintf("model: builder has %d columns; want the %d of changes", b.Columns(), n))
	}
	return &ChangeAppender{
		team:         b.Column(0),
		person:       b.Column(1),
		distinctID:   b.Column(2),
		version:      b.Column(3),
		isDeleted:    b.Column(4),
		properties:   b.Column(5),
		createdAt:    b.Column(6),
		isIdentified: b.Column(7),
		json:         json,
	}
}

// Append adds one row. Properties that a JSON column cannot hold (c.Unloadable) are
// replaced by NULL; whoever took the change in has kept the raw message. All values
// are copied.
func (a *ChangeAppender) Append(c *Change) {
	a.team.AppendInt(c.TeamID)
	a.person.AppendText(c.PersonID)
	a.version.AppendInt(c.Version)
	a.isDeleted.AppendBool(c.IsDeleted)
	if c.DistinctID != nil {
		a.distinctID.AppendText(c.DistinctID)
		a.properties.AppendNull()
		a.createdAt.AppendNull()
		a.isIdentified.AppendNull()
		return
	}
	a.distinctID.AppendNull()
	a.isIdentified.AppendBool(c.IsIdentified)
	if c.HasCreatedAt {
		a.createdAt.AppendInt(c.CreatedAt)
	} else {
		a.createdAt.AppendNull()
	}
	a.appendProperties(c)
}

func (a *ChangeAppender) appendProperties(c *Change) {
	switch {
	case c.Properties == nil, a.json && c.Unloadable:
		a.properties.AppendNull()
	case a.json && c.mend:
		a.scratch = AppendLoadable(a.scratch[:0], c.Properties)
		a.properties.AppendText(a.scratch)
	default:
		a.properties.AppendText(c.Properties)
	}
}
