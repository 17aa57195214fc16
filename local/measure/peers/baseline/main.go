// Command baseline exports events from Kafka to BigQuery as one would write it in an afternoon: a consumer group,
// encoding/json, and, whenever a period is over or 50,000 rows are there, a Parquet object, a load job, and the commit of
// the offsets. It is at least once: a crash between load and commit loads the rows again. It is measured next to tidemark;
// do not use it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/storage"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/api/option"
)

// maxRows bounds the memory.
const maxRows = 50_000

// event is a message. team_id is a number or a string.
type event struct {
	UUID             string          `json:"uuid"`
	Event            string          `json:"event"`
	Properties       string          `json:"properties"`
	DistinctID       string          `json:"distinct_id"`
	TeamID           json.RawMessage `json:"team_id"`
	Timestamp        string          `json:"timestamp"`
	CreatedAt        string          `json:"created_at"`
	ElementsChain    string          `json:"elements_chain"`
	PersonID         string          `json:"person_id"`
	PersonProperties string          `json:"person_properties"`
	PersonMode       string          `json:"person_mode"`
	Historical       bool            `json:"historical_migration"`
}

// properties are those that have a column of their own.
type properties struct {
	IP      string          `json:"$ip"`
	Set     json.RawMessage `json:"$set"`
	SetOnce json.RawMessage `json:"$set_once"`
}

type exporter struct {
	kafka   *kgo.Client
	bucket  *storage.BucketHandle
	table   *bigquery.Table
	builder *array.RecordBuilder
	schema  bigquery.Schema
	rows    int
}

func main() {
	log.Fatal(run(context.Background())) // it ends with an error only
}

func run(ctx context.Context) error {
	e, err := open(ctx)
	if err != nil {
		return err
	}
	period, err := time.ParseDuration(os.Getenv("PERIOD"))
	if err != nil {
		return err
	}
	due := time.Now().Add(period)
	for {
		pollCtx, cancel := context.WithDeadline(ctx, due)
		fetches := e.kafka.PollRecords(pollCtx, 10_000)
		cancel()
		if err := fetches.Err0(); err != nil && pollCtx.Err() == nil {
			return err
		}
		for _, r := range fetches.Records() {
			if err := e.add(r); err != nil {
				log.Printf("%s/%d at %d: %v", r.Topic, r.Partition, r.Offset, err) // and lose it
			}
		}
		if e.rows >= maxRows || time.Now().After(due) {
			if err := e.flush(ctx); err != nil {
				return err
			}
			due = time.Now().Add(period)
		}
		e.kafka.AllowRebalance()
	}
}

func open(ctx context.Context) (*exporter, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Getenv("BROKER")), kgo.ConsumerGroup(os.Getenv("GROUP")), kgo.ConsumeTopics(os.Getenv("TOPIC")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.SessionTimeout(6*time.Second))
	if err != nil {
		return nil, err
	}
	store, err := storage.NewClient(ctx, option.WithEndpoint(os.Getenv("GCS_ENDPOINT")+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		return nil, err
	}
	house, err := bigquery.NewClient(ctx, os.Getenv("PROJECT"), option.WithEndpoint(os.Getenv("BIGQUERY_ENDPOINT")+"/bigquery/v2/"), option.WithoutAuthentication())
	if err != nil {
		return nil, err
	}
	fields, schema := columns()
	return &exporter{kafka: client, bucket: store.Bucket(os.Getenv("BUCKET")), table: house.Dataset(os.Getenv("DATASET")).Table(os.Getenv("TABLE")),
		builder: array.NewRecordBuilder(allocator, fields), schema: schema}, nil
}

// add decodes a message and appends its row.
func (e *exporter) add(r *kgo.Record) error {
	var m event
	if err := json.Unmarshal(r.Value, &m); err != nil {
		return err
	}
	var p properties
	_ = json.Unmarshal([]byte(m.Properties), &p) // without properties of their own these columns are empty
	team := string(m.TeamID)
	if text, err := strconv.Unquote(team); err == nil {
		team = text
	}
	teamID, err := strconv.ParseInt(team, 10, 64)
	if err != nil {
		return err
	}
	timestamp, err := time.Parse(time.DateTime, m.Timestamp)
	if err != nil {
		return err
	}
	created, _ := time.Parse(time.DateTime, m.CreatedAt)
	for i, text := range []string{m.UUID, m.Event, m.Properties, string(p.Set), string(p.SetOnce), m.DistinctID, p.IP, m.ElementsChain,
		m.ElementsChain, m.PersonID, m.PersonProperties, m.PersonMode} {
		e.builder.Field(i).(*array.StringBuilder).Append(text)
	}
	e.builder.Field(firstOther).(*array.Int64Builder).Append(teamID)
	for i, at := range []time.Time{timestamp, time.Now(), created} {
		e.builder.Field(firstOther + 1 + i).(*array.TimestampBuilder).Append(arrow.Timestamp(at.UnixMicro()))
	}
	e.builder.Field(firstOther + 4).(*array.BooleanBuilder).Append(m.Historical)
	e.rows++
	return nil
}

// flush loads the rows and commits.
func (e *exporter) flush(ctx context.Context) error {
	if e.rows == 0 {
		return nil
	}
	encoded, err := encode(e.builder.NewRecord())
	if err != nil {
		return err
	}
	name := "baseline/" + uuid.NewString() + ".parquet"
	w := e.bucket.Object(name).NewWriter(ctx)
	if _, err := w.Write(encoded); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	source := bigquery.NewGCSReference(fmt.Sprintf("gs://%s/%s", e.bucket.BucketName(), name))
	source.SourceFormat, source.Schema = bigquery.Parquet, e.schema
	loader := e.table.LoaderFrom(source)
	loader.CreateDisposition = bigquery.CreateNever
	job, err := loader.Run(ctx)
	if err != nil {
		return err
	}
	status, err := job.Wait(ctx)
	if err != nil {
		return err
	}
	if status.Err() != nil {
		return status.Err()
	}
	e.rows = 0
	return e.kafka.CommitUncommittedOffsets(ctx)
}
