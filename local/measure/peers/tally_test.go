package main

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestTally_CountsMissingExtraAndForeign(t *testing.T) {
	a, b, c := uuid.New(), uuid.New(), uuid.New()
	tally := newTally(map[uuid.UUID]struct{}{a: {}, b: {}, c: {}})

	for _, id := range []uuid.UUID{a, b, a, uuid.New(), a} {
		tally.row(id)
	}

	require.Equal(t, counts{rows: 5, missing: 1, extra: 2, foreign: 1}, tally.counts())
}

func TestTally_OneRowEachIsNoDifference(t *testing.T) {
	a := uuid.New()
	tally := newTally(map[uuid.UUID]struct{}{a: {}})

	tally.row(a)

	require.Equal(t, counts{rows: 1}, tally.counts())
}
