package loader

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"tidemark/batch"
)

// Manifests keeps manifests as objects.
type Manifests struct {
	store  ObjectStore
	prefix string
}

var _ batch.Manifests = (*Manifests)(nil)

// NewManifests returns the manifests below [Config.Prefix].
func NewManifests(cfg Config, store ObjectStore) *Manifests {
	return &Manifests{store: store, prefix: cfg.Prefix}
}

// Put implements [batch.Manifests]. [ErrConflict] means that the batch's manifest exists and says something else.
func (s *Manifests) Put(ctx context.Context, m *batch.Manifest) error {
	data, err := m.Encode()
	if err != nil {
		return err
	}
	if err := s.store.Put(ctx, batch.ManifestObject(s.prefix, m.ID), data); err != nil {
		return fmt.Errorf("put manifest %s: %w", m.ID, err)
	}
	return nil
}

// Get implements [batch.Manifests].
func (s *Manifests) Get(ctx context.Context, id batch.ID) (*batch.Manifest, error) {
	data, err := s.store.Get(ctx, batch.ManifestObject(s.prefix, id))
	if errors.Is(err, ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", batch.ErrNoManifest, err)
	}
	if err != nil {
		return nil, fmt.Errorf("get manifest %s: %w", id, err)
	}
	return batch.DecodeManifest(data)
}

// Since returns the batches opened at t or later whose manifests exist, of all groups and replicas, oldest first. Their
// number bounds the load jobs of that time from above. Other objects among the manifests are ignored.
func (s *Manifests) Since(ctx context.Context, t time.Time) ([]batch.ID, error) {
	start := batch.ManifestObject(s.prefix, batch.FirstID(t))
	names, err := s.store.List(ctx, path.Dir(start)+"/", start)
	if err != nil {
		return nil, fmt.Errorf("list manifests since %s: %w", t.UTC().Format(time.RFC3339), err)
	}
	ids := make([]batch.ID, 0, len(names))
	for _, name := range names {
		if id, err := batch.ParseID(strings.TrimSuffix(path.Base(name), ".json")); err == nil && name == batch.ManifestObject(s.prefix, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
