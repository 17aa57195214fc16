package loader

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
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

// costKey is the key of an object's metadata that holds the [batch.Cost]: a listing tells what was used of the day's quotas.
const costKey = "cost"

func costMeta(c batch.Cost) map[string]string { return map[string]string{costKey: c.String()} }

// Put implements [batch.Manifests]. [ErrConflict] means that the batch's manifest exists and says something else.
func (s *Manifests) Put(ctx context.Context, m *batch.Manifest) error {
	data, err := m.Encode()
	if err != nil {
		return err
	}
	if err := s.store.Put(ctx, batch.ManifestObject(s.prefix, m.ID), data, costMeta(batch.CostOf(m))); err != nil {
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

// Attempt notes that an attempt to load a table failed: it counts in the quotas as well, and nothing else tells the other
// replicas of it.
func (s *Manifests) Attempt(ctx context.Context, t *batch.Table) error {
	name := batch.AttemptObject(s.prefix, batch.NewID(time.Now()))
	if err := s.store.Put(ctx, name, []byte(t.Target.String()+"\n"), costMeta(batch.Cost{Loads: 1, Partitions: max(1, t.Partitions)})); err != nil {
		return fmt.Errorf("note a failed attempt: %w", err)
	}
	return nil
}

// Since returns what was used of the quotas from t on, oldest first: what the manifests say of the batches that were opened
// since, of all groups and replicas, and the attempts that failed. Other objects among them are ignored.
func (s *Manifests) Since(ctx context.Context, t time.Time) (uses []batch.Use, err error) {
	for _, name := range []func(string, batch.ID) string{batch.ManifestObject, batch.AttemptObject} {
		start := name(s.prefix, batch.FirstID(t))
		list, err := s.store.List(ctx, path.Dir(start)+"/", start)
		if err != nil {
			return nil, fmt.Errorf("list what was loaded since %s: %w", t.UTC().Format(time.RFC3339), err)
		}
		for _, o := range list {
			if id, err := batch.ParseID(strings.TrimSuffix(path.Base(o.Name), ".json")); err == nil && o.Name == name(s.prefix, id) {
				uses = append(uses, batch.Use{At: id.Time(), Cost: batch.ParseCost(o.Meta[costKey])})
			}
		}
	}
	slices.SortStableFunc(uses, func(a, b batch.Use) int { return a.At.Compare(b.At) })
	return uses, nil
}
