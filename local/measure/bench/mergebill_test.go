package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/model"
)

func TestBillOf_IsWhatIsReadAndAllOfWhatIsChanged(t *testing.T) {
	const mib = 1 << 20
	measured := sizes{personState: 1000 * mib, mappingState: 500 * mib, persons: 2000 * mib, stage: 100 * mib, stageMappings: 60 * mib, stageKeys: 1 * mib,
		personStateRead: 300 * mib, mappingStateRead: 200 * mib, personsRead: 400 * mib, teams: 30 * mib,
		personStateKeys: 40 * mib, mappingStateKeys: 50 * mib, personsKeys: 90 * mib}
	bill, view := billOf(measured, false), billOf(measured, true)
	var got []int64
	for _, c := range bill {
		got = append(got, c.bytes()/mib)
	}
	require.Equal(t, bill[:5], view, "a view is not merged into")
	require.Equal(t, []int64{10, 20 + 30, 1100 + 300, 560 + 200, 2*10 + 40 + 50, 10 + 1000 + 500 + 2000 + 400, 10 + 90}, got, "10 MiB is the least for a table; what is compared of a target is read, too")

	var out strings.Builder
	r := mergeResult{rows: 10, changes: 5, load: time.Second, merge: 2 * time.Second, measurement: measurement{Records: 5, Wall: 4 * time.Second}}
	require.NoError(t, r.print(&out, bill, view))
	require.Contains(t, out.String(), "6340  all")
	require.Contains(t, out.String(), "2330  all, with persons as a view")
	require.Contains(t, out.String(), "$0.038 a merge, $27 a month")
}

func TestMergeMessages_AreOnesThatCanBeDecoded(t *testing.T) {
	d := model.NewDecoder(0)
	for _, n := range []int{0, 7, 4_999_999} {
		var person, mapping model.Change
		require.NoError(t, d.DecodePerson(personMessage(n, 1), &person))
		require.True(t, json.Valid(person.Properties))
		id := string(person.PersonID)
		team := person.TeamID
		require.NoError(t, d.DecodeMapping(mappingMessage(2*n, n, 0), &mapping))
		require.Equal(t, id, string(mapping.PersonID))
		require.Equal(t, team, mapping.TeamID, "a mapping is of its person's team")
	}
}
