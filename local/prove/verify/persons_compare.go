package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/bigquery"
)

// personComparison compares rows of a table with those that it should have.
type personComparison struct {
	columns personColumns
	wanted  map[PersonKey]PersonRow
	seen    map[PersonKey]bool
	report  PersonsReport
	first   PersonKey // of report.FirstDifference
}

func newPersonComparison(columns personColumns, wanted map[PersonKey]PersonRow) *personComparison {
	return &personComparison{
		columns: columns, wanted: wanted, seen: make(map[PersonKey]bool, len(wanted)),
		report: PersonsReport{WrongColumns: map[string]int64{}},
	}
}

// row compares a row: its team_id, distinct_id and the columns.
func (c *personComparison) row(values []bigquery.Value) {
	c.report.Rows++
	team, okTeam := values[0].(int64)
	distinctID, okID := values[1].(string)
	key := PersonKey{team, distinctID}
	if !okTeam || !okID {
		c.report.Unexpected++
		c.note(key, "row without team or distinct ID")
		return
	}
	if c.seen[key] {
		c.report.Duplicated++
		c.note(key, "another row of the same distinct ID")
	}
	again := c.seen[key]
	c.seen[key] = true
	wanted, ok := c.wanted[key]
	switch {
	case ok:
		c.compare(key, wanted, values[2:])
	case !again:
		c.report.Unexpected++
		c.note(key, "unexpected row")
	}
}

// compare checks the values of the columns.
func (c *personComparison) compare(key PersonKey, wanted PersonRow, values []bigquery.Value) {
	var wrong []string
	for i, name := range c.columns.names {
		if c.columns.found(name, values[i]) != c.columns.wanted(name, wanted) {
			wrong = append(wrong, name)
			c.report.WrongColumns[name]++
		}
	}
	if wrong != nil {
		slices.Sort(wrong)
		c.report.Wrong++
		c.note(key, "person "+wanted.PersonID+": "+strings.Join(wrong, ", ")+" wrong")
	}
}

// sum adds what no row was seen of. It is called once, after all rows.
func (c *personComparison) sum() PersonsReport {
	for key, wanted := range c.wanted {
		if !c.seen[key] {
			c.report.Missing++
			c.note(key, "person "+wanted.PersonID+": missing")
		}
	}
	return c.report
}

// note keeps the first finding of the lowest key.
func (c *personComparison) note(key PersonKey, text string) {
	if c.report.FirstDifference == "" || cmp.Or(cmp.Compare(key.Team, c.first.Team), cmp.Compare(key.DistinctID, c.first.DistinctID)) < 0 {
		c.first, c.report.FirstDifference = key, fmt.Sprintf("team %d %s", key.Team, text)
	}
}
