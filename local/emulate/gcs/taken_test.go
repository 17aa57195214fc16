package gcs

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"tidemark/loader"
)

// store is tidemark's own client of the server.
func store(t *testing.T, s *Server) *loader.GCS {
	g, err := loader.NewGCS(t.Context(), loader.Config{Bucket: bucket, GCSEndpoint: s.Endpoint()},
		loader.NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	return g
}

// A9: an account that may create and not delete objects is refused with this text where the name is taken
// (google-github-actions/upload-cloud-storage issue 388). It is the same answer as 412: look at the object.
func TestA9_ForbiddenToReplaceMeansCompare(t *testing.T) {
	forbidden := Fault{Op: OpInsert, Object: "manifest", Count: -1, Status: http.StatusForbidden,
		Message: "loader@acme.iam.gserviceaccount.com does not have storage.objects.delete access to the Google Cloud Storage object."}
	backends(t, func(t *testing.T, s *Server) {
		ctx, g := testContext(t), store(t, s)
		require.NoError(t, g.Put(ctx, "manifest", []byte("mine"), nil))
		injected := s.Inject(forbidden)
		require.NoError(t, g.Put(ctx, "manifest", []byte("mine"), nil), "it is what an earlier attempt uploaded")
		require.ErrorIs(t, g.Put(ctx, "manifest", []byte("yours"), nil), loader.ErrConflict)
		require.Equal(t, 2, injected.Hits(), "neither is tried again")
		injected.Remove()
		content, err := g.Get(ctx, "manifest")
		require.NoError(t, err)
		require.Equal(t, "mine", string(content))
	})
}
