package warehouse

import (
	"context"
	"time"

	"cloud.google.com/go/bigquery"

	"tidemark/destination"
)

// defaultTimeTravel is the window of a dataset for which nobody has set one
// (docs.cloud.google.com/bigquery/docs/time-travel, 2026-08-22).
const defaultTimeTravel = 7 * 24 * time.Hour

// Location returns where a dataset is, for example EU or us-central1. Jobs on its tables run there and are found only
// there. It never changes in the life of a dataset. A missing dataset is a permanent [*Error].
func (c *Client) Location(ctx context.Context, project, dataset string) (string, error) {
	md, err := c.dataset(ctx, project, dataset)
	if err != nil {
		return "", err
	}
	return md.Location, nil
}

// Dataset implements [destination.Warehouse].
func (c *Client) Dataset(ctx context.Context, project, dataset string) (destination.Dataset, error) {
	md, err := c.dataset(ctx, project, dataset)
	if err != nil {
		return destination.Dataset{}, err
	}
	return destination.Dataset{Location: md.Location, Collation: md.DefaultCollation, CaseInsensitive: md.IsCaseInsensitive,
		TableLife: md.DefaultTableExpiration, PartitionLife: md.DefaultPartitionExpiration}, nil
}

// Storage is how the storage of a dataset's tables is billed.
type Storage struct {
	// Physical says that the compressed bytes are billed, and with them what was deleted or rewritten for as long as it is
	// kept: in the time-travel window, and 7 days longer as fail-safe. Logical billing includes both.
	Physical bool
	// TimeTravel is how long deleted and rewritten rows can be read; it is from 2 to 7 days.
	TimeTravel time.Duration
}

// Storage reads how a dataset is billed (datasets.get). A missing dataset is a permanent [*Error].
func (c *Client) Storage(ctx context.Context, project, dataset string) (Storage, error) {
	md, err := c.dataset(ctx, project, dataset)
	if err != nil {
		return Storage{}, err
	}
	s := Storage{Physical: md.StorageBillingModel == bigquery.PhysicalStorageBillingModel, TimeTravel: md.MaxTimeTravel}
	if s.TimeTravel == 0 {
		s.TimeTravel = defaultTimeTravel
	}
	return s, nil
}

func (c *Client) dataset(ctx context.Context, project, dataset string) (md *bigquery.DatasetMetadata, err error) {
	p, err := c.project(ctx, project)
	if err != nil {
		return nil, err
	}
	err = c.call(ctx, func(ctx context.Context) (err error) {
		md, err = p.DatasetInProject(project, dataset).Metadata(ctx)
		return err
	})
	if err != nil {
		return nil, classify(opReadDataset, project+"."+dataset, err)
	}
	return md, nil
}
