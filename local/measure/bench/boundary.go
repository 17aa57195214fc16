package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	gbq "cloud.google.com/go/bigquery"
	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"tidemark/batch"
)

// point is a batch: what lay in it, and how long after its seal what happened.
type point struct {
	records  int64
	parts    int // all of them
	tails    int // those stored after the seal
	manifest time.Duration
	job      time.Duration // the last load job was submitted
}

// measureBoundary produces one volume in each period, and looks from outside how long it takes from the seal to the load
// jobs: the manifest says when the batch was sealed, the emulators when objects and jobs were created. All clocks are
// this machine's.
func measureBoundary(ctx context.Context, opts options) error {
	volumes := opts.volumes
	opts.records = 0
	return withTopic(ctx, opts, opts.variants[0], func(t task) (err error) {
		e, err := startEmulators(ctx, 0)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.close()) }()
		env := e.environment(opts, t, "boundary")
		env["TIDEMARK_PERIOD"], env["TIDEMARK_FLUSH_DELAY"] = opts.period.String(), flushDelay.String()
		process, err := start(ctx, roleService, t, env)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, process.close()) }()
		perRecord, err := produceVolumes(ctx, t, volumes, opts.period)
		if err != nil {
			return err
		}
		points, err := e.awaitPoints(ctx, total(volumes), 5*opts.period+time.Minute)
		if err != nil {
			return err
		}
		return report(opts, points, perRecord)
	})
}

// flushDelay is TIDEMARK_FLUSH_DELAY: not a part of what is measured, and short because periods are.
const flushDelay = time.Second

func total(volumes []uint64) (n uint64) {
	for _, v := range volumes {
		n += v
	}
	return n
}

// produceVolumes produces one volume at the beginning of each period, and returns the bytes of a value.
func produceVolumes(ctx context.Context, t task, volumes []uint64, period time.Duration) (perRecord float64, err error) {
	var first, size uint64
	for _, v := range volumes {
		next := time.Now().Truncate(period).Add(period + flushDelay)
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(time.Until(next)):
		}
		t.Records = v
		stats, err := fill(ctx, t, first)
		if err != nil {
			return 0, err
		}
		if took := time.Since(next); took > period-flushDelay {
			fmt.Fprintf(os.Stderr, "%d records took %s to produce: they are in more than one period of %s (try a longer --period)\n", v, took.Round(time.Millisecond), period)
		}
		first += v
		size += stats.Bytes
	}
	return float64(size) / float64(first), nil
}

// awaitPoints waits until manifests hold all records and every batch has its load job.
func (e *emulators) awaitPoints(ctx context.Context, records uint64, limit time.Duration) ([]point, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client, err := gbq.NewClient(ctx, project, option.WithEndpoint(e.house.Endpoint()+"/bigquery/v2/"), option.WithoutAuthentication())
	if err != nil {
		return nil, err
	}
	defer client.Close() // no more than idle connections
	for {
		points, err := e.points(ctx, client)
		if err != nil {
			return nil, err
		}
		loaded := uint64(0)
		for _, p := range points {
			loaded += uint64(p.records)
		}
		if loaded == records {
			return points, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for load jobs of %d records, found %d: %w", records, loaded, ctx.Err())
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// points returns the batches that have a load job, by number of records.
func (e *emulators) points(ctx context.Context, client *gbq.Client) ([]point, error) {
	jobs, err := submitted(ctx, client)
	if err != nil {
		return nil, err
	}
	var objects []*storage.ObjectAttrs
	list := e.client.Bucket(bucket).Objects(ctx, nil)
	for {
		o, err := list.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("list objects: %w", err)
		}
		objects = append(objects, o)
	}
	var points []point
	for id, job := range jobs {
		p, err := e.point(ctx, id, job, objects)
		if err != nil {
			return nil, err
		}
		points = append(points, p)
	}
	slices.SortFunc(points, func(a, b point) int { return int(a.records - b.records) })
	return points, nil
}

// point looks at the batch among the objects.
func (e *emulators) point(ctx context.Context, id batch.ID, job time.Time, objects []*storage.ObjectAttrs) (p point, err error) {
	at := slices.IndexFunc(objects, func(o *storage.ObjectAttrs) bool { return strings.HasSuffix(o.Name, "batches/"+id.String()+".json") })
	if at < 0 {
		return p, fmt.Errorf("batch %s has a load job and no manifest", id)
	}
	m, err := readManifest(ctx, e.client, objects[at].Name)
	if err != nil {
		return p, fmt.Errorf("read %s: %w", objects[at].Name, err)
	}
	p = point{records: recordsOf(m), manifest: objects[at].Created.Sub(m.SealedAt), job: job.Sub(m.SealedAt)}
	for _, o := range objects {
		if strings.Contains(o.Name, "parts/"+id.String()+"/") {
			p.parts++
			if o.Created.After(m.SealedAt) {
				p.tails++
			}
		}
	}
	return p, nil
}

// submitted returns when the last load job of each batch was created.
func submitted(ctx context.Context, client *gbq.Client) (map[batch.ID]time.Time, error) {
	all := map[batch.ID]time.Time{}
	jobs := client.Jobs(ctx)
	for {
		j, err := jobs.Next()
		if errors.Is(err, iterator.Done) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		c, err := j.Config()
		if err != nil {
			return nil, fmt.Errorf("read job %s: %w", j.ID(), err)
		}
		load, ok := c.(*gbq.LoadConfig)
		if !ok {
			continue
		}
		id, err := batch.ParseID(load.Labels["batch"])
		if err != nil {
			return nil, fmt.Errorf("read label of job %s: %w", j.ID(), err)
		}
		if created := j.LastStatus().Statistics.CreationTime; created.After(all[id]) {
			all[id] = created
		}
	}
}

// report prints the points and draws them.
func report(opts options, points []point, perRecord float64) error {
	t := table{header: []string{"records in the period", "MB", "parts before the seal", "after it", "seal to manifest", "seal to load job"}}
	p := plot{title: "From the end of a period to its load job", sub: fmt.Sprintf("%s, memory budget %s", opts.variants[0], opts.memory),
		x: "records in the period, thousands", y: "seconds from the seal to the load job"}
	for _, at := range points {
		t.rows = append(t.rows, []string{fmt.Sprint(at.records), fmt.Sprintf("%.0f", float64(at.records)*perRecord/1e6),
			fmt.Sprint(at.parts - at.tails), fmt.Sprint(at.tails),
			fmt.Sprintf("%.2f s", at.manifest.Seconds()), fmt.Sprintf("%.2f s", at.job.Seconds())})
		p.points = append(p.points, [2]float64{float64(at.records) / 1e3, at.job.Seconds()})
	}
	if err := t.print(opts); err != nil {
		return err
	}
	return writeFile(opts.boundary, p.write)
}
