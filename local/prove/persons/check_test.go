package persons

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	"tidemark/batch"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/verify"
)

// merge merges a batch that was poured from messages and compares the table with the fold of all messages that have been merged, these included.
func (p *people) merge(m *batch.Manifest, pours ...[]message) error {
	for i := range m.Tables {
		if _, err := p.merger.Apply(p.Context(), m, &m.Tables[i]); err != nil {
			return err
		}
	}
	p.expect(m.IngestedAt, pours...)
	switch {
	case p.countOnly:
		if n := p.scalar("SELECT COUNT(*) FROM " + p.sql()); n != int64(len(p.rows)) {
			return fmt.Errorf("%s: %v rows; want %d", p.variant, n, len(p.rows))
		}
		return nil
	case p.verbatim:
		return p.verify()
	}
	return p.compare()
}

// verify compares as the command does that compares production's tables: documents by what they mean.
func (p *people) verify() error {
	report, err := p.fold.Compare(p.Context(), verify.PersonsOptions{BigQuery: p.Client, Project: stack.Project, Dataset: stack.Dataset, Table: p.name, Deletes: p.deletes})
	if err == nil && (!report.OK() || report.Conflicting > 0) {
		err = fmt.Errorf("%s: %s", p.variant, report)
	}
	return err
}

// difference is a row that is not what it should be.
type difference struct {
	verify.PersonKey
	text string
}

func (d *difference) Error() string { return d.text }

// expect adds messages to what the table should hold. A row that changes is written at an instant, and one that does not
// is left alone.
func (p *people) expect(at time.Time, pours ...[]message) {
	for _, messages := range pours {
		for _, m := range messages {
			if m.Topic == stack.PersonsTopic {
				p.fold.AddPerson(m.Value)
			} else {
				p.fold.AddMapping(m.Value)
			}
		}
	}
	rows := p.fold.Rows(p.deletes)
	for key, row := range rows {
		if before, ok := p.rows[key]; !ok || before != row {
			p.written[key] = at
		}
	}
	p.rows = rows
}

// found is a row of the table.
type found struct {
	verify.PersonRow
	written time.Time
}

// compare returns the first difference between the table and what it should hold.
func (p *people) compare() error {
	got, err := p.read()
	if err != nil {
		return err
	}
	var wrong []verify.PersonKey
	for key, row := range p.rows {
		if g, ok := got[key]; !ok || g.PersonRow != row || !p.written[key].IsZero() && !g.written.Equal(p.written[key]) {
			wrong = append(wrong, key)
		}
	}
	for key := range got {
		if _, ok := p.rows[key]; !ok {
			wrong = append(wrong, key)
		}
	}
	if wrong == nil {
		return nil
	}
	first := slices.MinFunc(wrong, func(a, b verify.PersonKey) int {
		return cmp.Or(cmp.Compare(a.Team, b.Team), cmp.Compare(a.DistinctID, b.DistinctID))
	})
	g, there := got[first]
	w, wanted := p.rows[first]
	return &difference{first, fmt.Sprintf("%s: %d rows of %d are wrong, first team %d %q:\nthere  %v %+v\nwanted %v %+v written %s",
		p.variant, len(wrong), len(p.rows), first.Team, first.DistinctID, there, g, wanted, w, p.written[first])}
}

// read returns all rows. Properties of the histories here read the same as STRING and as JSON.
func (p *people) read() (map[verify.PersonKey]found, error) {
	it, err := p.Client.Query("SELECT team_id, distinct_id, person_id, properties, person_distinct_id_version, person_version, created_at, is_deleted, " +
		"is_identified, bq_ingested_timestamp FROM " + p.sql()).Read(p.Context())
	if err != nil {
		return nil, err
	}
	it.PageInfo().MaxSize = 20_000
	rows := make(map[verify.PersonKey]found)
	for {
		var v []gbq.Value
		if err := it.Next(&v); errors.Is(err, iterator.Done) {
			return rows, nil
		} else if err != nil {
			return nil, err
		}
		key := verify.PersonKey{Team: v[0].(int64), DistinctID: v[1].(string)}
		if _, twice := rows[key]; twice {
			return nil, fmt.Errorf("%s: team %d has two rows of %q", p.variant, key.Team, key.DistinctID)
		}
		rows[key] = found{row(v[2:]), value[time.Time](v[9])}
	}
}

// row makes a row of its values. NULLs where the fold has none become what it never has.
func row(v []gbq.Value) (r verify.PersonRow) {
	r.PersonID = value[string](v[0])
	if text, ok := v[1].(string); ok {
		r.Properties = gbq.NullString{StringVal: text, Valid: true}
	}
	r.MappingVersion, r.PersonVersion = -1, -1
	if n, ok := v[2].(int64); ok {
		r.MappingVersion = n
	}
	if n, ok := v[3].(int64); ok {
		r.PersonVersion = n
	}
	if at, ok := v[4].(time.Time); ok {
		r.CreatedAt = gbq.NullTimestamp{Timestamp: at.UTC(), Valid: true}
	}
	r.IsDeleted, r.IsIdentified = value[bool](v[5]), value[bool](v[6])
	return r
}

func value[T any](v gbq.Value) (t T) {
	t, _ = v.(T) // NULL is the zero value
	return t
}
