package persons

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/destination"
	"tidemark/local/emulate/bigquery"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/verify"
)

// viewVariants are the shapes of the view.
func viewVariants() (all []variant) {
	for _, v := range variants() {
		v.view = true
		all = append(all, v)
	}
	return all
}

// As a view, persons are the fold just as the table is: whatever the order and the division, with repeats.
func TestView_IsTheFold(t *testing.T) {
	for _, seed := range seeds(t) {
		for _, v := range viewVariants() {
			t.Run(v.String(), func(t *testing.T) {
				t.Parallel()
				t.Logf("seed %d", seed)
				r := rand.New(rand.NewPCG(seed, 11))
				w := newWorld(t)
				for _, lanes := range [][]lane{someLanes(1997), denseLanes(r, 40), realLanes(r, 1)} {
					p := w.people(v)
					p.verbatim = true
					require.NoError(t, p.run(lanes))
				}
			})
		}
	}
}

// No statement writes to the view, whose columns are those that a table would be created with.
func TestView_HasTheColumnsOfTheTableAndNoMerge(t *testing.T) {
	for _, v := range viewVariants() {
		w := newWorld(t)
		p := w.people(v)
		writes := p.faults.OnJob(bigquery.JobRule{Table: p.name, Count: -1})
		p.verbatim = true
		require.NoError(t, p.run([]lane{{"one", 1, [][]message{messages(1, mapping("d", "P", 0), person("P", 0)), messages(1, person("P", 1))}}}))
		require.Zero(t, writes.Hits())
		view, err := w.Client.Dataset(stack.Dataset).Table(p.name).Metadata(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, "VIEW", view.Type)

		table := w.people(variant{deletes: v.deletes, json: v.json})
		w.exec("DROP TABLE " + table.sql())
		table.resolve() // which creates it
		made, err := w.Client.Dataset(stack.Dataset).Table(table.name).Metadata(t.Context())
		require.NoError(t, err)
		require.Len(t, view.Schema, len(made.Schema))
		for i, f := range made.Schema {
			require.Equal(t, f.Name, view.Schema[i].Name)
			require.Equal(t, f.Type, view.Schema[i].Type, f.Name)
		}
	}
}

// What a name is cannot be changed by the configuration, either way; the refusal says what to do. A batch that was opened before
// is finished as it was opened.
func TestView_TheKindThatIsThereCounts(t *testing.T) {
	w := newWorld(t)
	p := w.people(variant{deletes: verify.DeletesMark, view: true})
	p.verbatim = true
	require.NoError(t, p.run([]lane{{"one", 1, [][]message{messages(1, mapping("d", "P", 0), person("P", 0))}}}))
	opened := p.seal(messages(1, person("P", 1)))
	refused := func(p *people, as string) error {
		cfg := destination.Config{Models: []string{destination.PersonsModel}, Dataset: stack.Dataset, EventsTable: stack.Table, PersonsTable: p.name, PersonDeletes: "mark", PersonsAs: as}
		d, err := destination.New(cfg, stack.Project, p.client(), nil)
		require.NoError(t, err)
		_, err = d.Resolve(t.Context())
		return err
	}
	require.ErrorContains(t, refused(p, "table"), "it is of the kind VIEW and TIDEMARK_PERSONS_AS is table; want a TABLE, or nothing of that name: set TIDEMARK_PERSONS_AS=view")
	require.ErrorContains(t, refused(w.people(variant{deletes: verify.DeletesMark}), "view"), "it is of the kind TABLE and TIDEMARK_PERSONS_AS is view; want a VIEW, or nothing of that name: drop or rename it")
	require.NoError(t, refused(p, "view"))

	_, err := w.replica(nil).Apply(t.Context(), opened, &opened.Tables[0])
	require.NoError(t, err)
	p.expect(time.Time{}, messages(1, person("P", 1)))
	require.NoError(t, p.verify())
}
