package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"cloud.google.com/go/bigquery"

	"tidemark/local/emulate/stack"
)

// sizes are the logical bytes of tables, column by column as BigQuery counts them: 8 for INT64 and TIMESTAMP, 1 for BOOL,
// 2 and the length in UTF-8 for STRING, nothing for NULL
// (cloud.google.com/bigquery/pricing#data, 2026-08).
type sizes struct {
	personState, mappingState, persons int64
	stage                              int64 // all columns of all changes
	stageMappings                      int64 // the columns that mappings have, of all changes
	stageKeys                          int64 // team, person and distinct id of all changes

	personStateRead, mappingStateRead, personsRead int64 // the columns that a MERGE into the table compares
	teams                                          int64 // team_id of both states

	personStateKeys, mappingStateKeys, personsKeys int64 // the columns that the look for doubled keys reads
}

const (
	personFixed  = 8 + 8 + 1 + 8 + 1 // team_id, version, is_deleted, created_at, is_identified
	mappingFixed = 8 + 8 + 1         // team_id, version, is_deleted
	rowFixed     = 8 + 8 + 8 + 8 + 1 // team_id, two versions, created_at, is_deleted
	stateRead    = 8 + 8             // team_id, version
	rowRead      = 8 + 8 + 8 + 1     // team_id, two versions, is_deleted
)

// readSizes measures the tables. What was changed last has version 1.
func readSizes(ctx context.Context, client *bigquery.Client) (s sizes, err error) {
	text := func(column string) string { return "IF(" + column + " IS NULL, 0, 2 + BYTE_LENGTH(" + column + "))" }
	of := func(table string) string { return "FROM `" + stack.Project + "." + stack.Dataset + "." + table + "`" }
	row := fmt.Sprintf("%d + %s + %s", personFixed, text("person_id"), text("properties"))
	var changedPersons, changedMappings, personKeys, mappingKeys, personCount, personTeams, mappingTeams int64
	err = errors.Join(
		scan(ctx, client, fmt.Sprintf("SELECT SUM(%s), SUM(IF(version = 1, %[1]s, 0)), SUM(IF(version = 1, 8 + %s, 0)), COUNTIF(version = 1), SUM(%d + %[2]s), SUM(8), SUM(8 + %[2]s) %[4]s",
			row, text("person_id"), stateRead, of(stack.PersonsTable+"_person_state")), &s.personState, &changedPersons, &personKeys, &personCount, &s.personStateRead, &personTeams, &s.personStateKeys))
	row = fmt.Sprintf("%d + %s + %s", mappingFixed, text("person_id"), text("distinct_id"))
	err = errors.Join(err,
		scan(ctx, client, fmt.Sprintf("SELECT SUM(%s), SUM(IF(version = 1, %[1]s, 0)), SUM(IF(version = 1, 8 + %s + %s, 0)), SUM(%d + %[3]s), SUM(8), SUM(8 + %[3]s) %[5]s",
			row, text("person_id"), text("distinct_id"), stateRead, of(stack.PersonsTable+"_distinct_id_state")),
			&s.mappingState, &changedMappings, &mappingKeys, &s.mappingStateRead, &mappingTeams, &s.mappingStateKeys),
		scan(ctx, client, fmt.Sprintf("SELECT SUM(%d + %s + %s + %s), SUM(%d + %[2]s + %[3]s), SUM(8 + %[2]s + %[3]s) %[6]s",
			rowFixed, text("person_id"), text("distinct_id"), text("properties"), rowRead, of(stack.PersonsTable)), &s.persons, &s.personsRead, &s.personsKeys))
	s.teams = personTeams + mappingTeams
	s.stage, s.stageKeys = changedPersons+changedMappings, personKeys+mappingKeys
	s.stageMappings = changedMappings + personKeys + 9*personCount // version and is_deleted of the persons among them
	return s, err
}

// scan reads the only row of a query.
func scan(ctx context.Context, client *bigquery.Client, sql string, into ...*int64) error {
	it, err := client.Query(sql).Read(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	var values []bigquery.Value
	if err := it.Next(&values); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	for i, v := range values {
		n, ok := v.(int64)
		if !ok {
			return fmt.Errorf("%s: column %d is %T; want int64", sql, i, v)
		}
		*into[i] = n
	}
	return nil
}

const (
	minBilled    = 10 << 20 // per table that a statement references
	dollarPerTiB = 6.25     // on demand, US, 2026-08
)

// charge is what one statement of the script is billed for: q, the columns that it reads, and t, the table that it changes.
type charge struct {
	statement string
	q, t      int64
}

func (c charge) bytes() int64 { return c.q + c.t }

// billOf applies BigQuery's formula for DML on demand to the script: q + t, where t is all of a table that has no
// partitions (cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax#calculate_bytes_processed_by_dml, 2026-08).
// It knows no clustering, which makes it less. q is "any columns referenced in tables scanned", and a MERGE scans its
// target to compare keys and versions; so those columns count twice, else the sum would not be the most it can be.
//
// As a view, persons are not merged into, and the last two are not there.
func billOf(s sizes, view bool) []charge {
	least := func(n int64) int64 { return max(n, minBilled) }
	bill := []charge{
		{"UPDATE of the fence", 0, minBilled},
		{"three ASSERTs before the MERGEs", 2*minBilled + least(s.teams), 0},
		{"MERGE into the state of persons", least(s.stage) + s.personStateRead, least(s.personState)},
		{"MERGE into the state of distinct ids", least(s.stageMappings) + s.mappingStateRead, least(s.mappingState)},
		{"ASSERT that no key of the states is doubled", 2*least(s.stageKeys) + least(s.personStateKeys) + least(s.mappingStateKeys), 0},
	}
	if view {
		return bill
	}
	return append(bill,
		charge{"MERGE into persons", least(s.stageKeys) + least(s.personState) + least(s.mappingState) + s.personsRead, least(s.persons)},
		charge{"ASSERT that no key of persons is doubled", least(s.stageKeys) + least(s.personsKeys), 0})
}

// mergeResult is the measured merge.
type mergeResult struct {
	rows        int
	changes     int64
	load, merge time.Duration
	measurement measurement
}

func sum(bill []charge) (total int64) {
	for _, c := range bill {
		total += c.bytes()
	}
	return total
}

func (r mergeResult) print(out io.Writer, bill, view []charge) error {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
	fmt.Fprintf(out, "%d changes merged into %d rows in the embedded BigQuery: %s to load the stage, %s for the script, %s in all (%.0f changes/s) and %s of CPU; peak RSS of everything %d MiB\n\n",
		r.changes, r.rows, seconds(r.load), seconds(r.merge), seconds(r.measurement.Wall), r.measurement.rate(), seconds(r.measurement.CPU), r.measurement.PeakBytes>>20)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "read (q), MiB\tchanged (t), MiB\tbilled, MiB\t  statement")
	total := sum(bill)
	for _, c := range bill {
		fmt.Fprintf(w, "%d\t%d\t%d\t  %s\n", c.q>>20, c.t>>20, c.bytes()>>20, c.statement)
	}
	fmt.Fprintf(w, "\t\t%d\t  all\n\t\t%d\t  all, with persons as a view\n", total>>20, sum(view)>>20)
	price := float64(total) / (1 << 40) * dollarPerTiB
	fmt.Fprintf(w, "\nat $%.2f/TiB: $%.3f a merge, $%.0f a month with one an hour, $%.0f with one every 5 minutes; clustering makes it less\n",
		dollarPerTiB, price, price*24*30, price*12*24*30)
	return w.Flush()
}
