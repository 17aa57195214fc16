package service

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
	"tidemark/destination"
	"tidemark/merge"
)

// statements is a BigQuery that remembers the parameters of the updates it is sent.
type statements struct {
	merge.Warehouse
	updates []map[string]any
	err     error
}

func (s *statements) Query(_ context.Context, job batch.QueryJob) (batch.JobResult, error) {
	params := make(map[string]any)
	for _, p := range job.Params {
		params[p.Name] = p.Value
	}
	if _, update := params["through"]; update && s.err == nil {
		s.updates = append(s.updates, params)
	}
	return batch.JobResult{Rows: 1}, s.err
}

func (s *statements) CreateSide(context.Context, string, string, merge.Side) error { return nil }

func (s *statements) CreatedAt(context.Context, string, string, string) (time.Time, bool, error) {
	return time.Unix(1, 0), true, nil
}

func TestPublisher_SaysHowFarEachTableIsComplete(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 9, 1, 12, minute, 0, 0, time.UTC) }
	house := new(statements)
	events := batch.Target{Model: destination.EventsModel, Project: "p", Dataset: "d", Table: "events", StatusTable: "s"}
	persons := batch.Target{Model: destination.PersonsModel, Project: "p", Dataset: "d", Table: "persons", StatusTable: "s"}
	var complete map[string]time.Time
	s := &service{}
	s.metrics = newMetrics(prometheus.NewRegistry(), s)
	p := &publisher{
		status: merge.NewStatusTable(house), complete: func(context.Context) (map[string]time.Time, error) { return complete, nil },
		targets: func() []batch.Target {
			return []batch.Target{events, persons, {Model: destination.EventsModel, Table: "silent"}}
		},
		topics: map[string][]string{destination.EventsModel: {"e"}, destination.PersonsModel: {"p", "d"}},
		wake:   make(chan struct{}, 1), last: make(map[string]*batch.Manifest), published: make(map[string]time.Time), metrics: s.metrics,
	}
	publish := func() []map[string]any {
		house.updates = nil
		require.NoError(t, p.publish(t.Context()))
		return house.updates
	}
	require.Empty(t, publish(), "nothing is known")

	complete = map[string]time.Time{"e": at(5), "p": at(4)}
	got := publish()
	require.Len(t, got, 1, "of persons one topic is not known")
	require.Equal(t, map[string]any{"table_name": "events", "through": at(5)}, got[0])
	require.Empty(t, publish(), "nothing is new")

	m := &batch.Manifest{ID: batch.NewID(at(0)), Contents: batch.Contents{Tables: []batch.Table{
		{Target: events, Parts: []batch.Part{{Rows: 3}}}, {Target: persons, Parts: []batch.Part{{Rows: 2}}}}}}
	p.committed(m)
	complete["d"] = at(3)
	got = publish()
	require.Len(t, got, 2)
	require.Equal(t, map[string]any{"table_name": "events", "through": at(5), "batch": m.ID.String(), "rows": int64(3)}, got[0])
	require.Equal(t, map[string]any{"table_name": "persons", "through": at(3)}, got[1], "the earliest of its topics; the merge has told its batch")

	p.committed(m)
	house.err = errors.New("down")
	require.Error(t, p.publish(t.Context()))
	house.err = nil
	require.Len(t, publish(), 2, "a batch is told until it is")
	require.Empty(t, p.last)
}
