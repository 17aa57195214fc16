package model

import (
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func changeSchema() *arrow.Schema {
	var cols []Selected
	for _, c := range ChangeColumns() {
		cols = append(cols, Selected{Column: c})
	}
	return Schema(cols)
}

// appendedChanges decodes the messages with their kinds and returns the record of
// their rows, which the caller releases, and which of them had properties withheld.
func appendedChanges(t *testing.T, json bool, kinds []changeKind, messages [][]byte) (rec arrow.Record, withheld []bool) {
	t.Helper()
	b := NewBuilder(changeSchema())
	a, d := NewChangeAppender(b, json), NewDecoder(0)
	for i, m := range messages {
		var c Change
		require.NoError(t, kinds[i].decode(d, m, &c))
		a.Append(&c)
		withheld = append(withheld, json && c.Unloadable)
	}
	return b.NewRecord(), withheld
}

// changeRow returns the row of a message by column name, NULLs left out.
func changeRow(t *testing.T, json bool, k changeKind, message string) (row map[string]string, withheld bool) {
	t.Helper()
	rec, held := appendedChanges(t, json, []changeKind{k}, [][]byte{[]byte(message)})
	defer rec.Release()
	return rowOf(rec, 0), held[0]
}

func TestChangeAppend_FillsEveryColumn(t *testing.T) {
	for _, json := range []bool{false, true} {
		row, withheld := changeRow(t, json, personKind(), nodePerson)
		require.False(t, withheld)
		require.Empty(t, cmp.Diff(map[string]string{
			"team_id": "2", "person_id": testPersonID, "version": "7", "is_deleted": "false", "properties": `{"email":"a@example.com","plan":"pro"}`,
			"created_at": "2026-08-30 09:10:11Z", "is_identified": "true",
		}, row))
		row, _ = changeRow(t, json, personKind(), withPerson(`"is_deleted":1,"version":107`))
		require.Empty(t, cmp.Diff(map[string]string{
			"team_id": "2", "person_id": testPersonID, "version": "107", "is_deleted": "true", "is_identified": "false",
		}, row))
		row, _ = changeRow(t, json, mappingKind(), nodeMapping)
		require.Empty(t, cmp.Diff(map[string]string{
			"team_id": "2", "person_id": testPersonID, "distinct_id": "user-42", "version": "1", "is_deleted": "false",
		}, row))
	}
}

// A version that float64 cannot hold reaches the column as it is.
func TestChangeAppend_VersionsAreExact(t *testing.T) {
	for _, version := range []string{"9007199254740993", "9223372036854775807"} {
		for _, k := range changeKinds() {
			row, _ := changeRow(t, false, k, k.with(`"version":`+version))
			require.Equal(t, version, row["version"])
		}
	}
}

// Rows equal what the oracle makes of the messages, read back from the record.
func TestChangeAppend_RecordsHoldWhatMessagesSay(t *testing.T) {
	var kinds []changeKind
	var messages [][]byte
	persons, mappings := personRecords(7, 300, 600), mappingRecords(7, 300)
	for i := range persons {
		kinds, messages = append(kinds, personKind(), mappingKind()), append(messages, persons[i], mappings[i])
	}
	rec, _ := appendedChanges(t, true, kinds, messages)
	defer rec.Release()
	require.EqualValues(t, len(messages), rec.NumRows())
	for i, m := range messages {
		var want Change
		require.NoError(t, kinds[i].oracle(m, &want))
		require.Empty(t, cmp.Diff(want, changeOf(rec, i), cmp.AllowUnexported(Change{})), "%s", m)
	}
}

// changeOf returns the change that a row was made from, as far as it tells.
func changeOf(rec arrow.Record, i int) Change {
	text := func(col int) []byte {
		if rec.Column(col).IsNull(i) {
			return nil
		}
		return []byte(rec.Column(col).(*array.String).Value(i))
	}
	truth := func(col int) bool {
		return rec.Column(col).IsValid(i) && rec.Column(col).(*array.Boolean).Value(i)
	}
	c := Change{
		TeamID: rec.Column(0).(*array.Int64).Value(i), PersonID: text(1), DistinctID: text(2), Version: rec.Column(3).(*array.Int64).Value(i),
		IsDeleted: truth(4), Properties: text(5), HasCreatedAt: rec.Column(6).IsValid(i), IsIdentified: truth(7),
	}
	if c.HasCreatedAt {
		c.CreatedAt = int64(rec.Column(6).(*array.Timestamp).Value(i))
	}
	return c
}

// nastyDocuments are texts for properties: those that JSON columns need mended,
// those they cannot hold, and those that only look nasty.
func nastyDocuments() []loadableCase {
	cases := loadableCases()
	for _, c := range propertiesCases() {
		want := Change{}
		c.check(&want)
		cases = append(cases, loadableCase{c.name, string(want.Properties), string(AppendLoadable(nil, want.Properties))})
	}
	return cases
}

func TestChangeAppend_NastyProperties(t *testing.T) {
	for _, c := range nastyDocuments() {
		t.Run(c.name, func(t *testing.T) {
			quoted, err := jsontext.AppendQuote(nil, c.doc)
			require.NoError(t, err)
			message := withPerson(`"properties":` + string(quoted))

			row, withheld := changeRow(t, false, personKind(), message)
			require.Equal(t, c.doc, row["properties"], "a STRING column gets the text as received")
			require.False(t, withheld)

			row, withheld = changeRow(t, true, personKind(), message)
			if fits := c.doc == "" || oracleLoads(withoutControls([]byte(c.doc))); !fits {
				require.NotContains(t, row, "properties")
				require.True(t, withheld)
				return
			}
			require.Equal(t, c.want, row["properties"], "a JSON column gets it mended")
			require.False(t, withheld)
		})
	}
}

func TestChangeAppend_NoRowIsSeenInTheNext(t *testing.T) {
	var kinds []changeKind
	var messages [][]byte
	for _, text := range []string{`[`, `["\ud83d"]`, `["a"]`, `[null,"\ude00"]`, `[1e999]`, `{}`} {
		kinds, messages = append(kinds, personKind()), append(messages, []byte(withPerson(`"properties":`+escaped(text))))
	}
	rec, withheld := appendedChanges(t, true, kinds, messages)
	defer rec.Release()
	require.Equal(t, []bool{true, false, false, false, true, false}, withheld)
	for i, want := range []string{"", `["\ufffd"]`, `["a"]`, `[null,"\ufffd"]`, "", `{}`} {
		require.Equal(t, want, rowOf(rec, i)["properties"])
	}
}

func TestChangeAppend_CopiesAndGoesOnAfterARecordIsCut(t *testing.T) {
	b := NewBuilder(changeSchema())
	a, d := NewChangeAppender(b, false), NewDecoder(0)
	for range 3 {
		var c Change
		message := []byte(nodePerson)
		require.NoError(t, d.DecodePerson(message, &c))
		a.Append(&c)
		clear(message)
		require.NoError(t, d.DecodePerson([]byte(withPerson(`"id":"11111111-1111-1111-1111-111111111111"`)), &c))
		rec := b.NewRecord()
		require.EqualValues(t, 1, rec.NumRows())
		require.Equal(t, testPersonID, rowOf(rec, 0)["person_id"])
		require.Equal(t, `{"email":"a@example.com","plan":"pro"}`, rowOf(rec, 0)["properties"])
		rec.Release()
	}
}

func TestNewChangeAppender_PanicsOnForeignColumns(t *testing.T) {
	b := NewBuilder(Schema(selected(false)))
	require.PanicsWithValue(t, "model: builder has 22 columns; want the 8 of changes", func() { NewChangeAppender(b, false) })
}
