package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"tidemark/batch"
	"tidemark/consumer"
	"tidemark/destination"
	"tidemark/loader"
	"tidemark/operate"
	"tidemark/warehouse"
)

// Operator is an operator's hands, and what they hold on to.
type Operator struct {
	*operate.Operator
	closers []func() error
}

// Close closes the connections.
func (o *Operator) Close() error {
	var errs []error
	for _, c := range o.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// NewOperator connects to what the configuration names, for a person's commands. cfg is validated; no request is sent yet. say is
// told how far long work has come. The caller must Close it.
func NewOperator(ctx context.Context, cfg Config, log *slog.Logger, say func(format string, args ...any)) (*Operator, error) {
	registry := prometheus.NewRegistry()
	store, err := loader.NewGCS(ctx, cfg.Loader, loader.NewMetrics(registry), log)
	if err != nil {
		return nil, err
	}
	o := &Operator{closers: []func() error{store.Close}}
	house, err := warehouse.New(ctx, cfg.Warehouse, log, warehouse.NewMetrics(registry))
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	o.closers = append(o.closers, house.Close)
	var topics []string
	for _, st := range cfg.streams() {
		topics = append(topics, st.Topics...)
	}
	group, err := consumer.NewAdmin(cfg.Consumer, topics, cfg.Loader.Prefix, marks{store}, log)
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	o.closers = append(o.closers, func() error { group.Close(); return nil })
	made := newCreations(cfg, store, house)
	dest, err := destination.New(cfg.Destination, cfg.Warehouse.Project, house, made)
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	o.Operator = &operate.Operator{
		Name: cfg.Consumer.Group, Group: group, Say: say,
		Manifests: places{loader.NewManifests(cfg.Loader, store), cfg.Loader},
		Jobs:      jobs{newApplier(cfg, house, made, dest, log), house},
		Tables:    tables{made, dest, house},
	}
	return o, nil
}

// places are manifests that say where they are looked for.
type places struct {
	*loader.Manifests
	cfg loader.Config
}

// Place implements operate.Manifests.
func (p places) Place(id batch.ID) string {
	return "gs://" + p.cfg.Bucket + "/" + batch.ManifestObject(p.cfg.Prefix, id)
}

// jobs are BigQuery's, for an operator.
type jobs struct {
	applier
	house *warehouse.Client
}

var _ operate.Jobs = jobs{}

// Void implements operate.Jobs.
func (j jobs) Void(ctx context.Context, m *batch.Manifest, t *batch.Table) (batch.Evidence, error) {
	return j.house.Void(ctx, batch.ApplyJob(m, t))
}

// Traces implements operate.Jobs.
func (j jobs) Traces(ctx context.Context, id batch.ID) ([]string, error) {
	ids, err := j.house.Traces(ctx, fmt.Sprintf("tidemark_%s_", id), id.Time())
	if err != nil {
		return nil, fmt.Errorf("look for jobs of batch %s: %w", id, err)
	}
	return ids, nil
}
