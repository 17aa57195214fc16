package warehouse

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/api/iterator"
)

const opListJobs = "list jobs"

// Traces lists the IDs of the jobs in the configured project that this account has made since an instant and that begin with
// prefix, the newest first. It is slow where there are very many, and meant for a person who has nothing else to go by.
func (c *Client) Traces(ctx context.Context, prefix string, since time.Time) (ids []string, err error) {
	p, err := c.project(ctx, c.cfg.Project)
	if err != nil {
		return nil, err
	}
	it := p.Jobs(ctx)
	it.MinCreationTime = since
	for {
		job, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return ids, nil
		}
		if err != nil {
			return nil, classify(opListJobs, c.cfg.Project, err)
		}
		if strings.HasPrefix(job.ID(), prefix) {
			ids = append(ids, job.ID())
		}
	}
}
