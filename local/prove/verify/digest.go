package verify

import (
	"crypto/sha256"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/bigquery"
	"github.com/go-json-experiment/json/jsontext"
)

// digest is what is kept of cells: a hash that decides, and a byte per column
// that names the column when it does not match.
type digest struct {
	sum     [16]byte
	columns [numColumns]byte
}

// digest hashes the values of the table's columns. BigQuery makes the same sum of
// a row by digestSQL.
func (c Columns) digest(values *cells) digest {
	var d digest
	size := 0
	for _, col := range c.list {
		size += len(values[col].text) + 8
	}
	row := make([]byte, 0, size)
	for _, col := range c.list {
		start := len(row)
		row = appendCell(row, col, values[col])
		d.columns[col] = byte(crc32.ChecksumIEEE(row[start:]))
	}
	sum := sha256.Sum256(row)
	copy(d.sum[:], sum[:])
	return d
}

// appendCell writes a value so that it cannot be taken for another one, whatever
// follows: NULL as "-", text with its length.
func appendCell(row []byte, col column, value cell) []byte {
	if value.null {
		return append(row, '-')
	}
	text := value.text
	if col == colElements {
		text = quoted(text)
	}
	row = append(strconv.AppendInt(row, int64(len(text)), 10), ':')
	return append(row, text...)
}

// quoted is a JSON string as ClickHouse writes it, but for the rare line
// separators: in this form BigQuery finds most elements equal by itself.
func quoted(text string) string {
	escaped, _ := jsontext.AppendQuote(make([]byte, 0, len(text)+2), text) // no error: text was read from JSON
	return strings.ReplaceAll(string(escaped), "/", `\/`)
}

// digestSQL is the expression of a row's sum. It is empty if a column has a type
// whose values only this package can bring into the form in which they are
// compared: JSON above all.
func (c Columns) digestSQL() string {
	var parts []string
	for _, col := range c.list {
		text := c.text[col]
		if text == "" {
			return ""
		}
		parts = append(parts, "IFNULL(CAST(BYTE_LENGTH("+text+") AS STRING) || ':' || "+text+", '-')")
	}
	return "SHA256(" + strings.Join(parts, " || ") + ")"
}

// textSQL is the expression of a column's value as text.
func textSQL(col column, kind bigquery.FieldType) string {
	name := "`" + col.name() + "`"
	switch kind {
	case bigquery.StringFieldType:
		if col.document() {
			return "NULLIF(" + name + ", '')"
		}
		return name
	case bigquery.IntegerFieldType, bigquery.BooleanFieldType:
		return "CAST(" + name + " AS STRING)"
	case bigquery.TimestampFieldType:
		return "CAST(UNIX_MICROS(" + name + ") AS STRING)"
	}
	return ""
}

// differing names the columns in which two digests differ.
func (c Columns) differing(a, b digest) string {
	var names []string
	for _, col := range c.list {
		if a.columns[col] != b.columns[col] {
			names = append(names, col.name())
		}
	}
	if names == nil {
		return "a column" // its byte happens to be the same
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
