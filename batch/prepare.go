package batch

import (
	"context"
	"errors"
	"fmt"
)

// runPrepare takes sealed batches one after the other: the next one is not prepared before this one's prepare is
// fully acknowledged, so a chain never has a hole.
func (d *Driver) runPrepare(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-d.sealed:
			if err := d.prepare(ctx, e); err != nil {
				return fmt.Errorf("prepare batch %s: %w: %w", e.manifest.ID, err, ErrRejoin)
			}
		}
	}
}

func (d *Driver) prepare(ctx context.Context, e *entry) error {
	m := e.manifest
	err := d.step("upload", func() (err error) {
		m.Contents, err = e.unfinished.Finish(ctx)
		m.Version = m.Contents.Version()
		return err
	})
	if err != nil {
		return err
	}
	if err := m.Check(); err != nil {
		return err
	}
	if err := d.step("manifest", func() error { return d.ports.Manifests.Put(ctx, m) }); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.become(e, Stored)
	if err := d.step("prepare", func() error { return d.commitPrepare(ctx, m) }); err != nil {
		return err
	}
	d.become(e, Prepared)
	close(e.prepared)
	d.drive()
	return nil
}

// commitPrepare decides the batch; d.mu is held.
func (d *Driver) commitPrepare(ctx context.Context, m *Manifest) error {
	commits, err := d.ledger.Prepare(m)
	if err != nil {
		return err
	}
	if err := d.commit(ctx, commits); err != nil {
		return err
	}
	d.ledger.Prepared(m)
	return nil
}

// commit makes one offset commit and finds out what became of it; d.mu is held. An error means that the session must
// rejoin: Kafka refused us, or we cannot tell what it accepted, or may still accept when a lost request arrives.
func (d *Driver) commit(ctx context.Context, commits []Commit) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.CommitTimeout)
	defer cancel()
	err := d.ports.Offsets.Commit(ctx, commits)
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrFenced) {
		return fmt.Errorf("%w: %w", err, ErrRejoin)
	}
	happened, readErr := d.happened(commits)
	if readErr != nil {
		return fmt.Errorf("commit has an unknown outcome (%w) and reading it back did not help (%w): %w", err, readErr, ErrRejoin)
	}
	if !happened {
		return fmt.Errorf("commit did not happen, or not fully (%w): %w", err, ErrRejoin)
	}
	d.log.Warn("offset commit answered with an error and was read back complete", "err", err)
	return nil
}

// happened reads the group's offsets back and says whether they are exactly those of the commits. It has its own
// timeout, because the commit's is likely used up.
func (d *Driver) happened(commits []Commit) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d.cfg.CommitTimeout)
	defer cancel()
	tps := make([]TopicPartition, len(commits))
	for i, c := range commits {
		tps[i] = c.TopicPartition
	}
	got, err := d.ports.Offsets.Fetch(ctx, tps)
	if err != nil {
		return false, err
	}
	for _, c := range commits {
		g := got[c.TopicPartition]
		if g.Err != nil {
			return false, g.Err
		}
		if g.Offset != c.Offset || g.Metadata != c.Metadata {
			return false, nil
		}
	}
	return true, nil
}
