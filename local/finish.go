package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	"tidemark/batch"
	"tidemark/local/emulate/stack"
	"tidemark/local/prove/verify"
)

// errDiffers is the reason for exit code 1 after --verify.
var errDiffers = errors.New("BigQuery differs from what was produced")

// finish shows what is in BigQuery, and compares it with the topic if asked to.
func (d *demo) finish(ctx context.Context) error {
	if err := d.showTeams(ctx); err != nil {
		return err
	}
	if err := d.showPersons(ctx); err != nil {
		return err
	}
	if err := d.showWatermark(ctx); err != nil {
		return err
	}
	if d.opts.chaos {
		d.out.say("chaos      survived %s", d.did)
	}
	if !d.opts.verify {
		return nil
	}
	d.out.say("verifying  every message of the topics against the tables")
	report, err := verify.Verify(ctx, verify.Options{Brokers: d.stack.Kafka.Addrs(), Topic: stack.Topic, BigQuery: d.stack.Client,
		Project: stack.Project, Dataset: stack.Dataset, Table: stack.Table, MaxBytes: maxRecord})
	if err != nil {
		return err
	}
	persons, err := verify.Persons(ctx, verify.PersonsOptions{Brokers: d.stack.Kafka.Addrs(), PersonTopic: stack.PersonsTopic, MappingTopic: stack.DistinctIDsTopic,
		BigQuery: d.stack.Client, Project: stack.Project, Dataset: stack.Dataset, Table: stack.PersonsTable, MaxBytes: maxRecord,
		Deletes: verify.Deletes(os.Getenv("TIDEMARK_PERSON_DELETES"))})
	if err != nil {
		return err
	}
	d.out.say("took       %s", d.clock)
	fmt.Println(report)
	fmt.Println(persons)
	if !report.OK() || !persons.OK() {
		return fmt.Errorf("%w: %s", errDiffers, strings.TrimSpace(report.FirstDifference+" "+persons.FirstDifference))
	}
	return nil
}

// showPersons prints the answer to the question that takes both tables: how many people there were. Who never told who
// they are counts by the distinct id of their device.
func (d *demo) showPersons(ctx context.Context) error {
	q := d.stack.Client.Query(fmt.Sprintf("SELECT COUNT(DISTINCT COALESCE(p.person_id, e.distinct_id)) AS people\n"+
		"FROM `%s` AS e\nLEFT JOIN `%s` AS p ON p.team_id = e.team_id AND p.distinct_id = e.distinct_id", stack.EventsTable(), stack.PersonsFullName()))
	rows, err := q.Read(ctx)
	if err != nil {
		return fmt.Errorf("query unique persons: %w", err)
	}
	var r []bigquery.Value
	if err := rows.Next(&r); err != nil {
		return fmt.Errorf("read unique persons: %w", err)
	}
	fmt.Printf("%s\n\n%v unique persons triggered an event\n\n", q.Q, r[0])
	return nil
}

// showTeams prints the answer to the first question an analyst asks.
func (d *demo) showTeams(ctx context.Context) error {
	q := d.stack.Client.Query(fmt.Sprintf("SELECT team_id, COUNT(*) AS events, COUNT(DISTINCT distinct_id) AS users, MAX(timestamp) AS latest\n"+
		"FROM `%s`\nGROUP BY team_id ORDER BY events DESC LIMIT 10", stack.EventsTable()))
	rows, err := q.Read(ctx)
	if err != nil {
		return fmt.Errorf("query events per team: %w", err)
	}
	fmt.Printf("\n%s\n\n%8s %10s %8s  %s\n", q.Q, "team_id", "events", "users", "latest")
	for {
		var r []bigquery.Value
		err := rows.Next(&r)
		if errors.Is(err, iterator.Done) {
			fmt.Println()
			return nil
		}
		if err != nil {
			return fmt.Errorf("read events per team: %w", err)
		}
		latest, _ := r[3].(time.Time)
		fmt.Printf("%8v %10v %8v  %s\n", r[0], r[1], r[2], latest.UTC().Format(time.RFC3339))
	}
}

// showWatermark prints the instant before which everything produced is in BigQuery: the earliest committed clock of the
// partitions, as the commit metadata has it.
func (d *demo) showWatermark(ctx context.Context) error {
	offsets, err := d.admin.FetchOffsets(ctx, d.group())
	if err != nil {
		return err
	}
	var watermark time.Time
	first := true
	for _, o := range offsets.Offsets().Sorted() {
		meta, err := batch.ParseMetadata(o.Metadata)
		if err != nil {
			return err
		}
		if first || meta.Clock.Before(watermark) {
			watermark, first = meta.Clock, false
		}
	}
	if watermark.IsZero() {
		d.out.say("watermark  unknown: not every partition has been committed yet")
		return nil
	}
	loads, err := d.loads(ctx)
	d.out.say("watermark  %s: every record that came to Kafka before it is in BigQuery (%d load jobs)", watermark.Format(time.RFC3339Nano), loads)
	return err
}

// loads counts the jobs that put rows into the events table.
func (d *demo) loads(ctx context.Context) (n int, err error) {
	jobs := d.stack.Client.Jobs(ctx)
	for {
		j, err := jobs.Next()
		if errors.Is(err, iterator.Done) {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("list jobs: %w", err)
		}
		c, err := j.Config()
		if err != nil {
			return n, fmt.Errorf("read job %s: %w", j.ID(), err)
		}
		if _, ok := c.(*bigquery.LoadConfig); ok {
			n++
		}
	}
}
