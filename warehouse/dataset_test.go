package warehouse

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tidemark/batch"
)

func TestA13_StorageTellsHowADatasetIsBilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBigQuery(t)
		storage := func(dataset string) Storage {
			s, err := b.client().Storage(t.Context(), "proj", dataset)
			require.NoError(t, err)
			return s
		}
		require.Equal(t, Storage{TimeTravel: 168 * time.Hour}, storage("ds"))
		b.physical = map[string]int64{"ds": 48}
		require.Equal(t, Storage{Physical: true, TimeTravel: 48 * time.Hour}, storage("ds"))
		b.physical["ds"] = 0 // nobody has set it
		require.Equal(t, Storage{Physical: true, TimeTravel: 168 * time.Hour}, storage("ds"))

		_, err := b.client().Storage(t.Context(), "proj", "missing")
		require.True(t, isPermanent(err))
		require.Contains(t, batch.HintOf(err), "create the dataset")
	})
}
