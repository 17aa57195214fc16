package service

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"tidemark/batch"
	"tidemark/consumer"
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

func TestPublisher_SaysHowFarEachTableIsComplete(t *testing.T) { synctest.Test(t, testPublisher) }

func testPublisher(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 9, 1, 12, minute, 0, 0, time.UTC) }
	house := new(statements)
	events := batch.Target{Model: destination.EventsModel, Project: "p", Dataset: "d", Table: "events", StatusTable: "s"}
	persons := batch.Target{Model: destination.PersonsModel, Project: "p", Dataset: "d", Table: "persons", StatusTable: "s"}
	marks := map[string]consumer.Watermark{}
	var lost error // of the table of events
	var made time.Time
	checked := map[string]int{}
	s := &service{}
	s.metrics = newMetrics(prometheus.NewRegistry(), s)
	p := &publisher{
		status: merge.NewStatusTable(house, "g"), watermarks: func(context.Context) (map[string]consumer.Watermark, error) { return marks, nil },
		targets: func() []batch.Target {
			return []batch.Target{events, persons, {Model: destination.EventsModel, Table: "silent", Partitions: new(batch.Partitioning)}}
		},
		streams: []consumer.Stream{{Name: destination.EventsModel, Period: 5 * time.Minute}, {Name: destination.PersonsModel, Period: 5 * time.Minute}},
		wake:    make(chan struct{}, 1), last: make(map[string]*batch.Manifest), complete: make(map[string]time.Time),
		published: make(map[string]time.Time), failing: make(map[string]*failing), metrics: s.metrics,
		count: func(context.Context, string, string, string) (int64, error) { return 7, nil },
		check: func(_ context.Context, t batch.Target) (time.Time, error) {
			checked[t.Table]++
			if t.Table == "events" {
				return made, lost
			}
			return time.Time{}, nil
		},
	}
	publish := func() []map[string]any {
		house.updates = nil
		require.NoError(t, p.publish(t.Context()))
		return house.updates
	}
	require.Empty(t, publish(), "nothing is known")

	marks[destination.EventsModel] = consumer.Watermark{Through: at(6), Publish: true}
	marks[destination.PersonsModel] = consumer.Watermark{Through: at(4)}
	require.Equal(t, []map[string]any{{"consumer_group": "g", "table_name": "events", "through": at(6)}}, publish(), "another replica tells persons")
	require.Equal(t, map[string]time.Time{"events": at(6), "persons": at(4)}, p.view(), "everybody shows both")
	require.Equal(t, map[string]int{"events": 1, "silent": 1}, checked, "a table is looked at without a status table, too")
	require.EqualValues(t, 7, testutil.ToFloat64(s.metrics.partitions.WithLabelValues("..silent")))
	marks[destination.EventsModel] = consumer.Watermark{Through: at(9), Publish: true}
	require.Empty(t, publish(), "one statement per table and period")
	require.Equal(t, 1, checked["silent"], "one look, likewise")
	marks[destination.EventsModel] = consumer.Watermark{Through: at(2), Publish: true}
	require.Empty(t, publish())
	require.Equal(t, at(9), p.view()["events"], "a partition that was idle and gets a record takes nothing back")

	m := &batch.Manifest{ID: batch.NewID(at(0)), Contents: batch.Contents{Tables: []batch.Table{
		{Target: events, Parts: []batch.Part{{Rows: 3}}}, {Target: persons, Parts: []batch.Part{{Rows: 2}}}}}}
	p.committed(m)
	made = at(1)
	marks[destination.EventsModel] = consumer.Watermark{Through: at(10), Publish: true}
	marks[destination.PersonsModel] = consumer.Watermark{Through: at(8), Publish: true}
	got := publish()
	require.Len(t, got, 2)
	require.Equal(t, map[string]any{"consumer_group": "g", "table_name": "events", "through": at(10), "created": at(1), "batch": m.ID.String(), "rows": int64(3)}, got[0])
	require.Equal(t, map[string]any{"consumer_group": "g", "table_name": "persons", "through": at(8), "batch": m.ID.String(), "rows": int64(2)}, got[1])

	marks[destination.EventsModel] = consumer.Watermark{Through: at(16), Publish: true}
	house.err = errors.New("down")
	require.Error(t, p.publish(t.Context()))
	require.NoError(t, p.publish(t.Context()), "it is not tried at every look")
	house.err = nil
	lost, house.updates = &destination.Lost{Table: "events"}, nil
	time.Sleep(retryMost) // in the bubble
	require.ErrorIs(t, p.publish(t.Context()), lost, "nothing is promised of a table that is not the one that was filled")
	require.Empty(t, house.updates)
	lost = nil
	require.Empty(t, publish(), "it rests")
	time.Sleep(retryMost)
	require.Len(t, publish(), 1, "an instant is told until it is")
	require.Empty(t, p.last)
	require.Empty(t, p.failing)
}
