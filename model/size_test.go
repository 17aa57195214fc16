package model

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// growingCases are messages whose rows are longer than what was received.
func growingCases() []messageCase {
	var cases []messageCase
	for _, text := range []string{strings.Repeat("/", 50), `a:href="/x\y"`, "\b\f\n\r\t\x00\x1f\x7f", "\u2028\u2029\u2027é😀", strings.Repeat("\x01", 30)} {
		cases = append(cases, messageCase{message: with(`"elements_chain":` + strings.NewReplacer("\x00", `\u0000`, "\x01", `\u0001`, "\x1f", `\u001f`, "\f", `\f`, "\r", `\r`).Replace(escaped(text)))})
	}
	for _, c := range loadableCases() {
		quoted := strings.NewReplacer("\x00", `\u0000`, "\x1f", `\u001f`, "\f", `\f`, "\r", `\r`).Replace(escaped(`{"$set":` + c.doc + `,"$set_once":[` + c.doc + `]}`))
		cases = append(cases, messageCase{message: with(`"properties":` + quoted + `,"person_properties":` + quoted)})
	}
	return cases
}

func TestRowSize_IsWhatAppendWrites(t *testing.T) {
	src := &Source{Topic: "clickhouse_events_json"}
	for _, loadable := range []bool{false, true} {
		all := selected(loadable)
		tables := [][]Selected{all, all[:12]}
		for i := range all {
			tables = append(tables, all[i:i+1])
		}
		d := NewDecoder(0)
		for _, c := range slices.Concat(messageCases(), growingCases()) {
			var e Event
			if err := d.Decode([]byte(c.message), &e); err != nil {
				require.NotEmpty(t, c.reason, "%v: %s", err, c.message)
				continue
			}
			for _, cols := range tables {
				b := NewBuilder(Schema(cols))
				NewEventAppender(b, cols).Append(&e, src, testTime)
				size := e.RowSize(cols, src)
				require.EqualValues(t, b.Size(), size, "%d columns from %s on, loadable %t: %s", len(cols), cols[0].Name, loadable, c.message)
				require.GreaterOrEqual(t, e.rowBound(src), size, c.message)
				_, exceeds := e.RowExceeds(size, cols, src)
				require.False(t, exceeds)
				found, exceeds := e.RowExceeds(size-1, cols, src)
				require.True(t, exceeds)
				require.Equal(t, size, found)
			}
		}
	}
}

// The bound is met by the worst that a message can hold, so that no row is too long without being measured.
func TestRowBound_IsTheLongestRow(t *testing.T) {
	src := &Source{Topic: "t"}
	quoted := strings.ReplaceAll(escaped(`"`+strings.Repeat("?", 20)+`"`), "?", `\u0001`)
	var e Event
	require.NoError(t, NewDecoder(0).Decode([]byte(with(`"elements_chain":"`+strings.Repeat(`\u0001`, 20)+`","properties":`+quoted+`,"person_properties":`+quoted)), &e))
	require.InDelta(t, e.RowSize(selected(true), src), e.rowBound(src), float64(2*2*(maxGrowth-1)), "but for the quotes of the documents")
}

func TestChangeSize_IsWhatAppendWrites(t *testing.T) {
	for _, k := range changeKinds() {
		cases := k.cases()
		for _, c := range growingCases() {
			cases = append(cases, changeCase{message: personOf(c.message)})
		}
		d := NewDecoder(0)
		for _, c := range cases {
			var change Change
			if k.decode(d, []byte(c.message), &change) != nil {
				continue
			}
			for _, json := range []bool{false, true} {
				b := NewBuilder(changeSchema())
				NewChangeAppender(b, json).Append(&change)
				require.EqualValues(t, b.Size(), change.Size(json), "json %t: %s", json, c.message)
			}
		}
	}
}

func TestBuilder_SizeIsThatOfTheNextRecord(t *testing.T) {
	b := NewBuilder(builderSchema())
	for range 2 {
		require.Zero(t, b.Size())
		b.Column(0).AppendString("text")
		b.Column(1).AppendNull()
		b.Column(2).AppendInt(1)
		b.Column(3).AppendInt(1)
		b.Column(4).AppendBool(true)
		b.Column(5).AppendInt(1)
		require.EqualValues(t, 4+8+8+1+4, b.Size())
		b.NewRecord().Release()
	}
}
