package loader

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"path"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
)

const (
	// requestTimeout bounds an attempt that moves no data to speak of.
	requestTimeout = 30 * time.Second
	// slowestBytesPerSecond is the rate below which an attempt to move an object is given up and started again.
	slowestBytesPerSecond = 256 << 10
	// readTimeout bounds an attempt to read an object of unknown size. Only manifests are read.
	readTimeout = 2 * time.Minute
)

// GCS is an [ObjectStore] in a Cloud Storage bucket.
type GCS struct {
	client  *storage.Client
	bucket  *storage.BucketHandle
	name    string
	metrics *Metrics
	log     *slog.Logger
}

var _ ObjectStore = (*GCS)(nil)

// NewGCS makes a client with ambient credentials, or without any if the configuration has an endpoint. It sends no
// request. The caller closes it.
func NewGCS(ctx context.Context, cfg Config, metrics *Metrics, log *slog.Logger) (*GCS, error) {
	opts := []option.ClientOption{storage.WithJSONReads()} // one API, one set of errors, and emulators serve it
	if cfg.GCSEndpoint != "" {
		// The client resolves JSON calls against the path, and derives that of uploads from the host.
		opts = append(opts, option.WithEndpoint(cfg.GCSEndpoint+"/storage/v1/"), option.WithoutAuthentication())
	}
	client, err := storage.NewClient(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("cloud storage client: %w", classify(err))
	}
	// The client's own retries log nothing, do not cover uploads in one request, and turn a lost reply into 412.
	// Ours do all three, so there is only one loop.
	client.SetRetry(storage.WithPolicy(storage.RetryNever))
	return &GCS{client: client, bucket: client.Bucket(cfg.Bucket), name: cfg.Bucket, metrics: metrics, log: log}, nil
}

// Close frees the client's connections.
func (g *GCS) Close() error { return g.client.Close() }

// BucketLocation is where a bucket keeps its objects.
type BucketLocation struct {
	// Name is as Cloud Storage writes it: US, EUROPE-WEST1, NAM4.
	Name string
	// Type is region, dual-region, multi-region or zone.
	Type string
	// Regions are those that somebody has chosen for a dual-region, whose name is then that of the continent; else none.
	Regions []string
}

// Location returns where the bucket is. It fails, with a hint, when the bucket does not exist or may not be looked at: a check
// for start-up. Load jobs need the same permission.
func (g *GCS) Location(ctx context.Context) (location BucketLocation, err error) {
	err = retry(ctx, g.log, request{"look at bucket", g.name, requestTimeout}, func(ctx context.Context) error {
		attrs, err := g.bucket.Attrs(ctx)
		if err != nil {
			return err
		}
		location = BucketLocation{Name: attrs.Location, Type: attrs.LocationType}
		if attrs.CustomPlacementConfig != nil {
			location.Regions = attrs.CustomPlacementConfig.DataLocations
		}
		return nil
	})
	return location, err
}

// Put implements [ObjectStore].
func (g *GCS) Put(ctx context.Context, name string, data []byte, meta map[string]string) error {
	crc, start := checksum(data), time.Now()
	timeout := requestTimeout + time.Duration(len(data))*time.Second/slowestBytesPerSecond
	err := retry(ctx, g.log, request{"upload", name, timeout}, func(ctx context.Context) error {
		err := g.create(ctx, name, data, crc, meta)
		if isTaken(err) {
			err = g.compare(ctx, name, len(data), crc, err)
		}
		if err != nil {
			g.metrics.failures.Inc()
		}
		return err
	})
	if err != nil {
		return err
	}
	g.metrics.uploaded(len(data), time.Since(start))
	return nil
}

// create sends the object in one request that is refused if the name is taken (isTaken), and with 400 if the bytes do
// not arrive as they were sent. (With a chunk size, the client would copy data into a buffer of that size first.)
func (g *GCS) create(ctx context.Context, name string, data []byte, crc uint32, meta map[string]string) error {
	w := g.bucket.Object(name).If(storage.Conditions{DoesNotExist: true}).NewWriter(ctx)
	w.ChunkSize = 0
	w.ContentType, w.Metadata = contentType(name), meta
	w.CRC32C, w.SendCRC32C = crc, true
	// A failed Write leaves only "closed pipe"; Close has the cause.
	if n, err := w.Write(data); err != nil {
		return errors.Join(w.Close(), fmt.Errorf("after %d of %d bytes: %w", n, len(data), err))
	}
	return w.Close()
}

// compare decides what a taken name means. An object that vanished meanwhile makes the upload start again; if it was never
// there, the refusal was about a permission after all.
func (g *GCS) compare(ctx context.Context, name string, size int, crc uint32, refusal error) error {
	attrs, err := g.bucket.Object(name).Attrs(ctx)
	if errors.Is(err, storage.ErrObjectNotExist) && lacksDelete(refusal) {
		return refusal
	}
	if err != nil {
		return fmt.Errorf("look at the object that exists: %w", err)
	}
	if attrs.Size != int64(size) || attrs.CRC32C != crc {
		return fmt.Errorf("found %d bytes with CRC32C %08x of generation %d, have %d with %08x: %w",
			attrs.Size, attrs.CRC32C, attrs.Generation, size, crc, ErrConflict)
	}
	g.log.Info("object was uploaded by an earlier attempt", "object", name, "generation", attrs.Generation)
	return nil
}

// Get implements [ObjectStore]. The client compares the CRC32C.
func (g *GCS) Get(ctx context.Context, name string) (data []byte, err error) {
	err = retry(ctx, g.log, request{"read", name, readTimeout}, func(ctx context.Context) (err error) {
		r, err := g.bucket.Object(name).NewReader(ctx)
		if err != nil {
			return g.absent(ctx, err)
		}
		defer r.Close() // nothing is lost by a failing Close of a reader
		data, err = io.ReadAll(r)
		return err
	})
	return data, err
}

// absent turns "object does not exist" into [ErrNotExist] once the bucket is known to exist: to a reader both are 404,
// and taking one for the other would make a deleted bucket look like an empty one.
func (g *GCS) absent(ctx context.Context, err error) error {
	if !errors.Is(err, storage.ErrObjectNotExist) {
		return err
	}
	if _, bucketErr := g.bucket.Attrs(ctx); bucketErr != nil {
		return bucketErr
	}
	return fmt.Errorf("%w in bucket %q", ErrNotExist, g.name)
}

// List implements [ObjectStore].
func (g *GCS) List(ctx context.Context, prefix, start string) (list []Object, err error) {
	query := &storage.Query{Prefix: prefix, StartOffset: start, Projection: storage.ProjectionNoACL}
	if err := query.SetAttrSelection([]string{"Name", "Metadata"}); err != nil {
		return nil, fmt.Errorf("list %q: %w", prefix, err)
	}
	err = retry(ctx, g.log, request{"list", prefix, readTimeout}, func(ctx context.Context) error {
		list = list[:0]
		objects := g.bucket.Objects(ctx, query)
		for {
			attrs, err := objects.Next()
			if errors.Is(err, iterator.Done) {
				return nil
			}
			if err != nil {
				return err
			}
			list = append(list, Object{attrs.Name, attrs.Metadata})
		}
	})
	return list, err
}

// checksum is Cloud Storage's: CRC32C (Castagnoli).
func checksum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// contentType is for people who look at the bucket.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".json":
		return "application/json"
	case ".parquet":
		return "application/vnd.apache.parquet"
	}
	return "application/octet-stream"
}
