package persons

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/local/prove/verify"
)

const (
	newerMapping = "IFNULL(t.person_distinct_id_version, -1) < IFNULL(s.person_distinct_id_version, -1)"
	newerPerson  = "IFNULL(t.person_version, -1) < IFNULL(s.person_version, -1)"
)

// mutation breaks the script. It is caught in the meetings with rows that are there, or by the histories.
type mutation struct {
	deletes  verify.Deletes
	meetings bool
	edit     func(sql string) string
}

func replace(old, with string) func(string) string {
	return func(sql string) string { return strings.ReplaceAll(sql, old, with) }
}

// asPostHog compares as PostHog's own export does: either version is enough to replace everything.
func asPostHog(sql string) string {
	before, rest, _ := strings.Cut(sql, "WHEN MATCHED AND NOT s.known")
	_, after, _ := strings.Cut(rest, "WHEN NOT MATCHED AND s.known")
	return before + "WHEN MATCHED AND (" + newerMapping + " OR " + newerPerson + ") THEN UPDATE SET person_id = s.person_id, " +
		"person_distinct_id_version = s.person_distinct_id_version, properties = s.properties, person_version = s.person_version, " +
		"created_at = s.created_at, is_deleted = s.is_deleted, is_identified = s.is_identified, bq_ingested_timestamp = s.bq_ingested_timestamp\n" +
		"WHEN NOT MATCHED AND s.known" + after
}

// withoutDelete keeps rows of distinct ids that moved to nobody.
func withoutDelete(sql string) string {
	before, rest, _ := strings.Cut(sql, "WHEN MATCHED AND NOT s.known")
	_, after, _ := strings.Cut(rest, "THEN DELETE\n")
	return before + after
}

func mutations() map[string]mutation {
	mark, remove := verify.DeletesMark, verify.DeletesRemove
	return map[string]mutation{
		"any version replaces the state's":    {mark, false, replace("WHEN MATCHED AND IFNULL(t.version, -1) < s.version THEN", "WHEN MATCHED THEN")},
		"NULL is no older version":            {mark, true, replace("IFNULL(t.person_version, -1)", "t.person_version")},
		"equal mappings are written again":    {mark, false, replace(newerMapping, strings.Replace(newerMapping, "<", "<=", 1))},
		"equal persons are written again":     {mark, false, replace(newerPerson, strings.Replace(newerPerson, "<", "<=", 1))},
		"either version replaces all":         {mark, true, asPostHog},
		"a mapping keeps its old person":      {mark, false, replace("t.person_id IS DISTINCT FROM s.person_id OR ", "")},
		"rows of persons nobody knows":        {mark, false, replace("WHEN NOT MATCHED AND s.known THEN", "WHEN NOT MATCHED THEN")},
		"the row of who moved to nobody":      {mark, false, withoutDelete},
		"the oldest of a stage":               {mark, false, replace("ORDER BY version DESC", "ORDER BY version")},
		"any of a stage":                      {mark, false, replace("ORDER BY version DESC", "")},
		"all of a stage":                      {mark, false, replace("QUALIFY ROW_NUMBER() OVER (PARTITION BY team_id, person_id ORDER BY version DESC) = 1", "")},
		"changes of persons touch no row":     {mark, false, replace("OR c.team_id IS NOT NULL", "")},
		"changes of mappings touch no row":    {mark, false, replace("i.team_id IS NOT NULL OR ", "")},
		"is_deleted of the older side":        {mark, true, replace("IF(IFNULL(t.person_version, -1) <= s.person_version, s.person_deleted, IFNULL(t.is_deleted, FALSE))", "s.person_deleted")},
		"is_deleted of the person alone":      {mark, false, replace("s.mapping_deleted OR ", "")},
		"deleted rows come back":              {remove, false, replace("WHEN NOT MATCHED AND s.known AND NOT s.is_deleted THEN", "WHEN NOT MATCHED AND s.known THEN")},
		"deleted persons stay":                {remove, false, replace("WHEN MATCHED AND s.person_deleted AND (", "WHEN MATCHED AND FALSE AND (")},
		"deleted mappings stay":               {remove, false, replace("WHEN MATCHED AND s.mapping_deleted AND", "WHEN MATCHED AND FALSE AND")},
		"an older delete removes a newer row": {remove, true, replace("AND IFNULL(t.person_version, -1) <= IFNULL(s.person_version, -1)", "")},
	}
}

// The tests of this package notice when the script is wrong.
func TestMerge_EveryMutationOfTheScriptIsCaught(t *testing.T) {
	w := newWorld(t)
	lanes, all := someLanes(7), meetings()
	for _, name := range sorted(mutations()) {
		m := mutations()[name]
		p := w.people(variant{deletes: m.deletes})
		p.merger = w.replica(func(sql string) string {
			broken := m.edit(sql)
			require.NotEqual(t, sql, broken, "%s: the script has no such text", name)
			return broken
		})
		err := func() error {
			if m.meetings {
				return p.meet(all, false)
			}
			return p.run(lanes)
		}()
		require.Error(t, err, name)
		if d := new(difference); !errors.As(err, &d) { // the script ran to its last look, that is, and was not just refused
			require.ErrorContains(t, err, "has a key of this batch twice", name)
		}
		what, _, _ := strings.Cut(err.Error(), "\n")
		t.Logf("%s: %s", name, what)
	}
}
