package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/api/iterator"

	"tidemark/local/emulate/stack"
)

// stable returns the members of a group, with the number of their partitions, none unless all partitions are given away.
func (s *stage) stable(ctx context.Context, group string) (map[string]int, error) {
	described, err := s.admin.DescribeGroups(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("describe group %s: %w", group, err)
	}
	members, partitions := map[string]int{}, 0
	for _, m := range described[group].Members {
		assigned, ok := m.Assigned.AsConsumer()
		if !ok {
			continue
		}
		for _, t := range assigned.Topics {
			members[m.MemberID] += len(t.Partitions)
			partitions += len(t.Partitions)
		}
	}
	if partitions < s.opts.partitions {
		return nil, nil
	}
	return members, nil
}

// committed sums the group's offsets, and says whether they are at the end. The topic begins at 0 and grows no more.
func (w *watch) committed(ctx context.Context) (sum uint64, atEnd bool, err error) {
	offsets, err := w.admin.FetchOffsets(ctx, w.group)
	if err != nil {
		return 0, false, fmt.Errorf("offsets of group %s: %w", w.group, err)
	}
	for _, o := range offsets[topic] {
		sum += uint64(max(o.At, 0))
	}
	return sum, sum == w.out.records, nil
}

func (c *scene) countRows(ctx context.Context) (uint64, error) {
	it, err := c.stack.Client.Query("SELECT COUNT(*) FROM `" + stack.EventsTable() + "`").Read(ctx)
	if err != nil {
		return 0, err
	}
	values, err := next(it)
	if err != nil {
		return 0, err
	}
	n, _ := values[0].(int64)
	return uint64(n), nil
}

// count compares the table with the topic.
func (c *scene) count(ctx context.Context) (counts, error) {
	it, err := c.stack.Client.Query("SELECT uuid FROM `" + stack.EventsTable() + "`").Read(ctx)
	if err != nil {
		return counts{}, err
	}
	it.PageInfo().MaxSize = 20_000
	t := newTally(c.events)
	for {
		values, err := next(it)
		if errors.Is(err, iterator.Done) {
			return t.counts(), nil
		}
		if err != nil {
			return counts{}, err
		}
		text, _ := values[0].(string)
		id, err := uuid.Parse(text)
		if err != nil {
			return counts{}, fmt.Errorf("row with uuid %q: %w", text, err)
		}
		t.row(id)
	}
}

// loseCommits has the broker cut the connection at every commit of the group, without effect, while the table is ahead of
// the offsets. Commits before a load, as tidemark's of what it has prepared, pass.
func (w *watch) loseCommits(ctx context.Context) {
	w.losing.Store(true)
	w.broker.Cluster().ControlKey(int16(kmsg.OffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if req, ok := r.(*kmsg.OffsetCommitRequest); !ok || req.Group != w.group || !w.losing.Load() {
			return nil, nil, false
		}
		w.broker.Cluster().KeepControl()
		rows, err := w.countRows(ctx)
		if err == nil && rows > w.committedUntil.Load() {
			return nil, errors.New("lost on purpose"), true
		}
		return nil, nil, false
	})
}
