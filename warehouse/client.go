package warehouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"cloud.google.com/go/bigquery"
	bq "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/option"

	"tidemark/destination"
	"tidemark/merge"
)

var (
	_ destination.Warehouse = (*Client)(nil)
	_ merge.Warehouse       = (*Client)(nil)
)

// Client talks to BigQuery. It is safe for concurrent use and keeps no state about jobs or tables.
type Client struct {
	cfg     Config
	options []option.ClientOption
	log     *slog.Logger
	metrics *Metrics
	raw     *bq.Service // for what the library's client does not show

	// mu guards projects. The library's client submits jobs to the one project it was made for, and a manifest may name
	// another one than today's configuration.
	mu       sync.Mutex
	projects map[string]*bigquery.Client
}

// New makes a client and calls nothing yet, except that it looks for ambient credentials unless options or an endpoint
// make that unnecessary. options are credentials and transports for the library. ctx bounds nothing that comes later.
func New(ctx context.Context, cfg Config, log *slog.Logger, metrics *Metrics, options ...option.ClientOption) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.BigQueryEndpoint != "" {
		base := strings.TrimSuffix(cfg.BigQueryEndpoint, "/") + "/bigquery/v2/"
		options = append([]option.ClientOption{option.WithEndpoint(base), option.WithoutAuthentication()}, options...)
	}
	raw, err := bq.NewService(context.WithoutCancel(ctx), options...)
	if err != nil {
		return nil, fmt.Errorf("connect to BigQuery: %w", err)
	}
	c := &Client{cfg: cfg, options: options, log: log, metrics: metrics, raw: raw, projects: make(map[string]*bigquery.Client)}
	if _, err := c.project(ctx, cfg.Project); err != nil {
		return nil, err
	}
	return c, nil
}

// Close frees connections. No method may be running or be called afterwards.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, p := range c.projects {
		errs = append(errs, p.Close())
	}
	clear(c.projects)
	return errors.Join(errs...)
}

// project returns the library's client for a project.
func (c *Client) project(ctx context.Context, name string) (*bigquery.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.projects[name]; p != nil {
		return p, nil
	}
	// A client made in the middle of a call must not keep that call's context for refreshing its credentials.
	p, err := bigquery.NewClient(context.WithoutCancel(ctx), name, c.options...)
	if err != nil {
		return nil, fmt.Errorf("connect to BigQuery for project %q: %w", name, err)
	}
	c.projects[name] = p
	return p, nil
}

// call runs one request under its deadline.
func (c *Client) call(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.BigQueryCallTimeout)
	defer cancel()
	return request(ctx)
}
