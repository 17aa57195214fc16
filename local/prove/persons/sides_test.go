package persons

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"github.com/stretchr/testify/require"

	"tidemark/local/prove/verify"
)

// meeting is a row that is there, from an exporter that was there before, and what comes: that "d" is P's and who P is,
// both of version comes. null stands for a version that is NULL.
type meeting struct {
	other    bool // the row is another person's
	mapping  int64
	person   int64
	deleted  bool // the row says of its person; the other exporter knows nothing of deleted mappings
	unmapped bool // what comes deletes the mapping
	gone     bool // what comes deletes P
	arrival  int  // 0: both in one batch, 1: the mapping first, 2: the person first
}

const (
	comes = 5
	null  = -1
)

// meetings returns all that are consistent: an equal version has an equal content.
func meetings() (all []meeting) {
	both := []bool{false, true}
	for _, other := range both {
		for _, mapping := range []int64{null, 3, comes, 7} {
			for _, person := range []int64{null, 3, comes, 7} {
				for bits := range 8 {
					m := meeting{other: other, mapping: mapping, person: person, deleted: bits&1 == 1, unmapped: bits&2 == 2, gone: bits&4 == 4}
					if mapping == comes && other || person == comes && !other && m.deleted != m.gone {
						continue
					}
					for m.arrival = range 3 {
						all = append(all, m)
					}
				}
			}
		}
	}
	return all
}

func (m meeting) owner() string { return map[bool]string{true: "O", false: "P"}[m.other] }

// lane is what comes.
func (m meeting) lane(team int64) lane {
	d, p := mapping("d", "P", comes), person("P", comes)
	d.deleted, p.deleted = m.unmapped, m.gone
	batches := [][]message{messages(team, d), messages(team, p)}
	switch m.arrival {
	case 0:
		batches = [][]message{messages(team, d, p), messages(team, d, p)}
	case 2:
		batches[0], batches[1] = batches[1], batches[0]
	}
	return lane{fmt.Sprintf("%+v", m), team, batches}
}

// before is the row that is there.
func (m meeting) before() verify.PersonRow {
	return verify.PersonRow{PersonID: uuidOf(m.owner()), Properties: gbq.NullString{StringVal: `{"is":"there"}`, Valid: true},
		MappingVersion: m.mapping, PersonVersion: m.person, IsDeleted: m.deleted}
}

// after is what must become of it: each side is the newer one of the two, by itself. seeded says that the row was there
// before the side tables were made; then it counts like a message, and otherwise as somebody else's business.
func (m meeting) after(deletes verify.Deletes, seeded bool) (row verify.PersonRow, left bool) {
	row = m.before()
	moves := m.mapping < comes
	renewed := moves && m.other || !m.other && m.person < comes
	if moves {
		row.PersonID, row.MappingVersion = uuidOf("P"), comes
	}
	if renewed {
		row.PersonVersion, row.IsDeleted, row.IsIdentified = comes, m.gone || !seeded && m.unmapped && m.mapping == comes, comes%2 == 1
		row.Properties.StringVal = person("P", comes).document()
		row.CreatedAt = gbq.NullTimestamp{Timestamp: time.Date(2026, 8, 30, 9, 10, comes, 0, time.UTC), Valid: true}
	}
	if moves && m.unmapped {
		row.IsDeleted = true
	}
	if deletes == verify.DeletesMark || seeded {
		return row, deletes == verify.DeletesMark || !row.IsDeleted
	}
	known := renewed || !m.other && m.person == comes // what comes is of the row's person, and the latest
	return row, !(m.unmapped && m.mapping <= comes) && !(m.gone && known)
}

// earlier is when the rows that are there were written.
func earlier() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// insert puts rows into the table, as another exporter does.
func (p *people) insert(rows map[verify.PersonKey]verify.PersonRow) {
	p.Helper()
	version := func(v int64) string {
		if v == null {
			return "CAST(NULL AS INT64)"
		}
		return fmt.Sprint(v)
	}
	var selects []string
	for key, r := range rows {
		properties, createdAt := "CAST(NULL AS STRING)", "CAST(NULL AS TIMESTAMP)"
		if r.Properties.Valid {
			properties = "'" + r.Properties.StringVal + "'"
		}
		if p.json {
			properties = "PARSE_JSON(" + properties + ")"
		}
		if r.CreatedAt.Valid {
			createdAt = "TIMESTAMP '" + r.CreatedAt.Timestamp.UTC().Format("2006-01-02 15:04:05") + "+00'"
		}
		selects = append(selects, fmt.Sprintf("SELECT %d, '%s', '%s', %s, %s, %s, %t, %t, %s, TIMESTAMP '%s+00'", key.Team, key.DistinctID, r.PersonID,
			properties, version(r.MappingVersion), version(r.PersonVersion), r.IsDeleted, r.IsIdentified, createdAt, earlier().Format("2006-01-02 15:04:05")))
	}
	for some := range slices.Chunk(selects, 100) {
		p.exec("INSERT INTO " + p.sql() + " (team_id, distinct_id, person_id, properties, person_distinct_id_version, person_version, is_deleted, is_identified, created_at, bq_ingested_timestamp)\n" +
			strings.Join(some, " UNION ALL\n"))
	}
}

// meet merges what comes and compares.
func (p *people) meet(all []meeting, seeded bool) error {
	p.Helper()
	if !seeded { // the side tables are made before the rows
		warm := p.seal(messages(int64(len(all)+1), person("Z", 0)))
		if _, err := p.merger.Apply(p.Context(), warm, &warm.Tables[0]); err != nil {
			return err
		}
	}
	there := make(map[verify.PersonKey]verify.PersonRow)
	for i, m := range all {
		there[verify.PersonKey{Team: int64(i + 1), DistinctID: "d"}] = m.before()
	}
	p.insert(there)
	var lanes []lane
	for i, m := range all {
		team := int64(i + 1)
		lanes = append(lanes, m.lane(team))
		key := verify.PersonKey{Team: team, DistinctID: "d"}
		row, left := m.after(p.deletes, seeded)
		if !left {
			continue
		}
		p.rows[key] = row
		if row == m.before() {
			p.written[key] = earlier()
		}
	}
	for k := range steps(lanes) {
		batch := p.seal(slices.Concat(step(lanes, k)...))
		if _, err := p.merger.Apply(p.Context(), batch, &batch.Tables[0]); err != nil {
			return err
		}
	}
	if err := p.compare(); err != nil {
		return fmt.Errorf("%w\n%s", err, culprit(lanes, err))
	}
	return nil
}

// A table that another exporter fills, or has filled, has rows of which one side is newer than what comes, and the other
// is older, equal, or NULL. Each side is decided by its own version.
func TestMerge_EachVersionOnItsOwn(t *testing.T) {
	all := meetings()
	t.Logf("%d meetings", len(all))
	for _, v := range variants() {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			require.NoError(t, w.people(v).meet(all, false))
			require.NoError(t, w.people(v).meet(all, true))
		})
	}
}
