package gcs

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
)

const bucket = "tidemark-test"

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, cfg Config) *Server {
	cfg.Bucket = bucket
	s, err := Start(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// client returns a bucket of the real client, whose retries are made quick. The
// error function is the client's own: an upload does not use it unless told to.
func client(t *testing.T, s *Server) *storage.BucketHandle {
	c, err := storage.NewClient(t.Context(), s.ClientOptions()...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c.Bucket(bucket).Retryer(
		storage.WithBackoff(gax.Backoff{Initial: time.Millisecond, Max: 5 * time.Millisecond}),
		storage.WithErrorFunc(storage.ShouldRetry))
}

// put creates an object that must not exist.
func put(ctx context.Context, b *storage.BucketHandle, name, content string) error {
	w := b.Object(name).If(storage.Conditions{DoesNotExist: true}).NewWriter(ctx)
	w.ChunkSize = 256 << 10 // not 0: the client does not retry what it has not kept
	if _, err := io.WriteString(w, content); err != nil {
		return err
	}
	return w.Close()
}

func get(ctx context.Context, b *storage.BucketHandle, name string) (string, error) {
	r, err := b.Object(name).NewReader(ctx)
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(r)
	return string(content), err
}

func requireStatus(t *testing.T, err error, status int) {
	t.Helper()
	var apiErr *googleapi.Error
	require.ErrorAs(t, err, &apiErr)
	require.Equal(t, status, apiErr.Code)
}

// backends runs a test in memory and on disk.
func backends(t *testing.T, test func(t *testing.T, s *Server)) {
	t.Run("memory", func(t *testing.T) { test(t, start(t, Config{})) })
	t.Run("directory", func(t *testing.T) { test(t, start(t, Config{Dir: t.TempDir()})) })
}

func TestClient_NeedsNoEnvironment(t *testing.T) {
	// A variable that points nowhere must not matter either.
	for name, host := range map[string]string{"unset": "", "elsewhere": "127.0.0.1:1"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("STORAGE_EMULATOR_HOST", host)
			ctx, s := testContext(t), start(t, Config{Location: "EU"})
			b := client(t, s)
			require.NoError(t, put(ctx, b, "dir/a b?é%.json", "hello"))
			content, err := get(ctx, b, "dir/a b?é%.json")
			require.NoError(t, err)
			require.Equal(t, "hello", content)
			attrs, err := b.Attrs(ctx)
			require.NoError(t, err)
			require.Equal(t, "EU", attrs.Location)
		})
	}
}

func TestClient_ReadsWithJSONToo(t *testing.T) {
	ctx, s := testContext(t), start(t, Config{})
	c, err := storage.NewClient(ctx, append(s.ClientOptions(), storage.WithJSONReads())...)
	require.NoError(t, err)
	defer c.Close()
	b := c.Bucket(bucket)
	require.NoError(t, put(ctx, b, "dir/a", "hello"))
	content, err := get(ctx, b, "dir/a")
	require.NoError(t, err)
	require.Equal(t, "hello", content)
}

func TestClient_ResumableUpload(t *testing.T) {
	backends(t, func(t *testing.T, s *Server) {
		ctx, b := testContext(t), client(t, s)
		content := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB, four chunks
		w := b.Object("big").If(storage.Conditions{DoesNotExist: true}).NewWriter(ctx)
		w.ChunkSize = 256 << 10
		_, err := io.WriteString(w, content)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		got, err := get(ctx, b, "big")
		require.NoError(t, err)
		require.True(t, content == got)
	})
}

func TestCreate_SecondTimeIsRefused(t *testing.T) {
	backends(t, func(t *testing.T, s *Server) {
		ctx, b := testContext(t), client(t, s)
		require.NoError(t, put(ctx, b, "batches/1.json", "first"))
		requireStatus(t, put(ctx, b, "batches/1.json", "second"), http.StatusPreconditionFailed)
		content, err := get(ctx, b, "batches/1.json")
		require.NoError(t, err)
		require.Equal(t, "first", content)
	})
}

func TestAttrs_HaveSizeAndCRC32C(t *testing.T) {
	backends(t, func(t *testing.T, s *Server) {
		ctx, b := testContext(t), client(t, s)
		require.NoError(t, put(ctx, b, "a", "hello"))
		attrs, err := b.Object("a").Attrs(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(5), attrs.Size)
		require.Equal(t, crc32.Checksum([]byte("hello"), crc32.MakeTable(crc32.Castagnoli)), attrs.CRC32C)
		_, err = b.Object("b").Attrs(ctx)
		require.ErrorIs(t, err, storage.ErrObjectNotExist)
		_, err = get(ctx, b, "b")
		require.ErrorIs(t, err, storage.ErrObjectNotExist)
	})
}

func TestList_StartsAtOffsetInOrder(t *testing.T) {
	backends(t, func(t *testing.T, s *Server) {
		ctx, b := testContext(t), client(t, s)
		for _, name := range []string{"p/3", "p/1", "q/1", "p/2"} {
			require.NoError(t, put(ctx, b, name, name))
		}
		var names []string
		it := b.Objects(ctx, &storage.Query{Prefix: "p/", StartOffset: "p/2"})
		for attrs, err := it.Next(); !errors.Is(err, iterator.Done); attrs, err = it.Next() {
			require.NoError(t, err)
			names = append(names, attrs.Name)
		}
		require.Equal(t, []string{"p/2", "p/3"}, names)
	})
}

func TestCreate_OneOfEightRacersWins(t *testing.T) {
	backends(t, func(t *testing.T, s *Server) {
		ctx, b := testContext(t), client(t, s)
		var won, lost atomic.Int32
		var group errgroup.Group
		for range 8 {
			group.Go(func() error {
				err := put(ctx, b, "race", "x")
				var apiErr *googleapi.Error
				switch {
				case err == nil:
					won.Add(1)
				case errors.As(err, &apiErr) && apiErr.Code == http.StatusPreconditionFailed:
					lost.Add(1)
				default:
					return err
				}
				return nil
			})
		}
		require.NoError(t, group.Wait())
		require.Equal(t, int32(1), won.Load())
		require.Equal(t, int32(7), lost.Load())
	})
}

func TestRestart_DirectoryKeepsObjects(t *testing.T) {
	ctx, cfg := testContext(t), Config{Dir: t.TempDir()}
	s := start(t, cfg)
	require.NoError(t, put(ctx, client(t, s), "dir/a", "hello"))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "the second time does nothing")

	b := client(t, start(t, cfg))
	content, err := get(ctx, b, "dir/a")
	require.NoError(t, err)
	require.Equal(t, "hello", content)
	requireStatus(t, put(ctx, b, "dir/a", "again"), http.StatusPreconditionFailed)
}

func TestStart_SaysWhyItCannot(t *testing.T) {
	s := start(t, Config{})
	var port int
	_, err := fmt.Sscanf(s.Endpoint(), "http://127.0.0.1:%d", &port)
	require.NoError(t, err)
	_, err = Start(Config{Port: port})
	require.ErrorContains(t, err, "gcs: listen")
}
