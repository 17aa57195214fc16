package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	gbq "cloud.google.com/go/bigquery"

	"tidemark/local/emulate/stack"
)

// period is how often every peer makes what it has read visible, and commits.
const period = 10 * time.Second

// peer is one way to get events from Kafka into BigQuery.
type peer struct {
	name  string
	group func(*scene) string
	// quiet is for how long nothing may happen, with all offsets committed, before the peer counts as done: longer than it
	// may take from the commit to the rows.
	quiet   time.Duration
	prepare func(context.Context, *scene) (prepared, error)
}

// prepared is a peer ready to be started, again and again, in one scene.
type prepared struct {
	command func(context.Context) *exec.Cmd
	left    func() int // rows that insertAll has left out; nil = none
	close   func() error
}

// choosePeers returns those that --only names. Without Kafka Connect the connector is left out, and it says so.
func choosePeers(ctx context.Context, s *stage) (chosen []peer, err error) {
	all := []peer{
		{name: "tidemark", group: sceneGroup, quiet: 5 * time.Second, prepare: prepareTidemark},
		{name: "baseline", group: sceneGroup, quiet: 5 * time.Second, prepare: prepareBaseline},
	}
	if dir, err := connectDir(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "peers: kafka-connect-bigquery is left out: %v\n", err)
	} else {
		all = append(all,
			peer{name: "kafka-connect-bigquery, insertAll", group: connectGroup, quiet: period, prepare: prepareConnect(dir, false)},
			peer{name: "kafka-connect-bigquery, GCS", group: connectGroup, quiet: 3 * period, prepare: prepareConnect(dir, true)})
	}
	for _, p := range all {
		if s.opts.only.MatchString(p.name) {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("--only %s matches no peer that can run here", s.opts.only)
	}
	return chosen, nil
}

func sceneGroup(c *scene) string { return c.name }

func nothing() error { return nil }

// prepareTidemark configures the command itself, as production would. The budget is small, as in local/measure/bench, so that it
// matters during so short a run.
func prepareTidemark(_ context.Context, c *scene) (prepared, error) {
	env := c.stack.Env(period)
	env["TIDEMARK_EVENTS_TOPIC"] = topic
	env["TIDEMARK_GROUP"] = c.name
	env["TIDEMARK_MODELS"] = "events" // the others know no persons
	env["TIDEMARK_BUFFER_MEMORY"] = "256MiB"
	return prepared{close: nothing, command: func(ctx context.Context) *exec.Cmd {
		return command(ctx, env, filepath.Join(c.stage.dir, "tidemark"), "run")
	}}, nil
}

func prepareBaseline(_ context.Context, c *scene) (prepared, error) {
	env := map[string]string{
		"BROKER": c.broker.Addrs()[0], "TOPIC": topic, "GROUP": c.name, "PERIOD": period.String(),
		"PROJECT": stack.Project, "DATASET": stack.Dataset, "TABLE": stack.Table, "BUCKET": stack.Bucket,
		"GCS_ENDPOINT": c.stack.GCS.Endpoint(), "BIGQUERY_ENDPOINT": c.stack.BigQuery.Endpoint(),
	}
	return prepared{close: nothing, command: func(ctx context.Context) *exec.Cmd {
		return command(ctx, env, filepath.Join(c.stage.dir, "baseline"))
	}}, nil
}

// next reads a row.
func next(it *gbq.RowIterator) ([]gbq.Value, error) {
	var values []gbq.Value
	err := it.Next(&values)
	return values, err
}
