package bigquery

import (
	"context"
	"errors"
	"fmt"
	"io"

	"cloud.google.com/go/storage"
)

// ErrNoObject is what Objects answers for an object or bucket that is not there.
var ErrNoObject = errors.New("no such object")

// Objects is where load jobs read their sources from.
type Objects interface {
	// Open returns the content of gs://bucket/name, which the caller closes. A
	// missing object or bucket is ErrNoObject, perhaps wrapped; any other error
	// fails the job with backendError. It is called concurrently.
	Open(ctx context.Context, bucket, name string) (io.ReadCloser, error)
}

// StorageObjects reads from Google Cloud Storage or something that speaks like it.
type StorageObjects struct {
	client *storage.Client
}

var _ Objects = (*StorageObjects)(nil)

// NewStorageObjects wraps the client, which stays the caller's to close.
func NewStorageObjects(client *storage.Client) *StorageObjects {
	return &StorageObjects{client: client}
}

// Open implements Objects.
func (o *StorageObjects) Open(ctx context.Context, bucket, name string) (io.ReadCloser, error) {
	r, err := o.client.Bucket(bucket).Object(name).NewReader(ctx)
	switch {
	case errors.Is(err, storage.ErrObjectNotExist), errors.Is(err, storage.ErrBucketNotExist):
		return nil, fmt.Errorf("open gs://%s/%s: %w", bucket, name, ErrNoObject)
	case err != nil:
		return nil, fmt.Errorf("open gs://%s/%s: %w", bucket, name, err)
	}
	return r, nil
}
