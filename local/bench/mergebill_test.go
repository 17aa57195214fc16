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
	bill := billOf(sizes{personState: 1000 * mib, mappingState: 500 * mib, persons: 2000 * mib, stage: 100 * mib, stageMappings: 60 * mib, stageKeys: 1 * mib,
		personStateRead: 300 * mib, mappingStateRead: 200 * mib, personsRead: 400 * mib, teams: 30 * mib})
	var got []int64
	for _, c := range bill {
		got = append(got, c.bytes()/mib)
	}
	require.Equal(t, []int64{20 + 30, 10, 1100 + 300, 560 + 200, 10 + 1000 + 500 + 2000 + 400}, got, "10 MiB is the least for a table; what is compared of a target is read, too")

	var out strings.Builder
	r := mergeResult{rows: 10, changes: 5, load: time.Second, merge: 2 * time.Second, measurement: measurement{Records: 5, Wall: 4 * time.Second}}
	require.NoError(t, r.print(&out, bill))
	require.Contains(t, out.String(), "6130  all")
	require.Contains(t, out.String(), "$0.037 a merge, $26 a month")
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
