package consumer

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// However small or large the budget, what is fetched ahead stays a part of it, also of batches that decompress to twenty times
// their size.
func TestFetch_IsBoundedByTheBudget(t *testing.T) {
	for budget, want := range map[int64]int32{8 << 20: 256 << 10, 256 << 20: 1 << 20, 1 << 30: 4 << 20, 64 << 30: 8 << 20} {
		require.Equal(t, want, fetchBytes(budget))
		if budget >= 256<<20 {
			require.LessOrEqual(t, 20*maxFetches*int64(want), budget/3)
		}
	}
}
