package probe

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	bq "google.golang.org/api/bigquery/v2"

	"tidemark/loader"
	"tidemark/model"
)

// P2: files of the real encoder, loaded as production loads them.
var (
	loads = question{
		ID:        "P2a",
		Assumes:   "a load job takes the encoder's file into a partitioned, clustered table that has further columns, and counts its rows",
		Confirmed: "batches load",
		Different: "batches would not load, or would be counted wrongly and not committed: report it with the file of --out",
		Unknown:   "offsets are committed only after BigQuery's own row count agrees",
	}
	sameValues = question{
		ID:        "P2b",
		Assumes:   "microseconds from year 1 to 9999, NULL, the empty text, NUL and characters beyond 16 bits arrive as they were",
		Confirmed: "values are what Kafka had",
		Different: "some values change on the way, as found: report it with the file of --out",
		Unknown:   "values are written by the Parquet specification",
	}
	sameTable = question{
		ID:        "P2c",
		Assumes:   "a load leaves the table's creation time alone",
		Confirmed: "a changed creation time means that somebody made the table again",
		Different: "tidemark would take its own loads for a table that was made again: report it with the file of --out",
		Unknown:   "the creation time is compared only where a table vanished",
	}
	omittedDefault = question{
		ID:        "P2d",
		Assumes:   "a column that the file does not have gets its DEFAULT",
		Confirmed: "defaults of columns that you add take effect",
		Different: "such a column is NULL in what tidemark loads, whatever its DEFAULT",
		Unknown:   "do not rely on defaults of columns that you add",
	}
	columnCase = question{
		ID:        "P2e",
		Assumes:   "columns are found whatever their case",
		Confirmed: "a table with upper-case columns works",
		Different: "a table with upper-case columns does not: use lower case",
		Unknown:   "use lower-case columns",
	}
	emptyStage = question{
		ID:        "P2f",
		Assumes:   "WRITE_EMPTY loads into a new stage, and refuses one that has rows",
		Confirmed: "a stage never holds a batch twice",
		Different: "a stage might hold a batch twice, which its row count shows before anything is merged: report it with the file of --out",
		Unknown:   "the rows of a stage are counted before they are used",
	}
)

func encoderQuestions() []question {
	return []question{loads, sameValues, sameTable, omittedDefault, columnCase, emptyStage}
}

// encoderRow is a row of the file. Texts that are nil are NULL.
type encoderRow struct {
	uuid, event, properties string
	null                    bool // event, properties and created are
	timestamp, created      int64
}

// Instants in microseconds.
const (
	year1    = -62135596800_000_000 + 1 // 0001-01-01 00:00:00.000001
	year9999 = 253402300799_999_999     // 9999-12-31 23:59:59.999999
	before70 = -1                       // 1969-12-31 23:59:59.999999
	recent   = 1_780_000_000_123_456    // in 2026
)

func encoderRows() []encoderRow {
	return []encoderRow{
		{uuid: "recent", event: "$pageview", properties: `{"a": 1}`, timestamp: recent, created: year1},
		{uuid: "first", event: "NUL \x00 inside", properties: "", timestamp: year1, created: year9999},
		{uuid: "last", event: "😀 \U0001D11E beyond 16 bits", properties: "{}", timestamp: year9999, created: before70},
		{uuid: "early", event: "\u2028 \ufffd \t", properties: strings.Repeat("long ", 20_000), timestamp: before70, created: recent},
		{uuid: "null", null: true, timestamp: recent},
	}
}

// encodedRows is the Parquet file of the rows, by production's builder and encoder.
func (r *run) encodedRows() ([]byte, error) {
	text := arrow.BinaryTypes.String
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "uuid", Type: text, Nullable: true}, {Name: "event", Type: text, Nullable: true}, {Name: "properties", Type: text, Nullable: true},
		{Name: "team_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "timestamp", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "created_at", Type: arrow.FixedWidthTypes.Timestamp_us, Nullable: true},
		{Name: "historical_migration", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	}, nil)
	b := model.NewBuilder(schema)
	for i, row := range encoderRows() {
		b.Column(0).AppendString(row.uuid)
		b.Column(3).AppendInt(int64(i))
		b.Column(4).AppendInt(row.timestamp)
		if row.null {
			for _, c := range []int{1, 2, 5, 6} {
				b.Column(c).AppendNull()
			}
			continue
		}
		b.Column(1).AppendString(row.event)
		b.Column(2).AppendString(row.properties)
		b.Column(5).AppendInt(row.created)
		b.Column(6).AppendBool(i%2 == 0)
	}
	rec := b.NewRecord()
	defer rec.Release()
	parts, err := loader.NewParts(r.cfg.Loader, nil)
	if err != nil {
		return nil, err
	}
	return parts.Encode(schema, []arrow.Record{rec})
}

// fileSchema is the load job's, in lower case as production's.
func fileSchema() *bq.TableSchema {
	return columns("uuid STRING", "event STRING", "properties STRING", "team_id INTEGER", "timestamp TIMESTAMP", "created_at TIMESTAMP", "historical_migration BOOLEAN")
}

// userSchema is that of a table that a person made: another order, upper case, and a column that tidemark does not know.
func userSchema(withDefault bool) *bq.TableSchema {
	schema := columns("plan STRING", "TEAM_ID INTEGER", "timestamp TIMESTAMP", "uuid STRING", "EVENT STRING", "properties STRING", "created_at TIMESTAMP", "historical_migration BOOLEAN")
	if withDefault {
		schema.Fields[0].DefaultValueExpression = "'free'"
	}
	return schema
}

// encoder asks P2.
func (r *run) encoder(ctx context.Context) error {
	data, err := r.encodedRows()
	if err != nil {
		return err
	}
	object := r.object(strings.ToLower(r.group) + "/rows.parquet")
	if err := r.put(ctx, object, data); err != nil {
		return fmt.Errorf("upload %s: %w", object, err)
	}
	if err := r.askLoad(ctx, object); err != nil {
		return err
	}
	return r.try(ctx, emptyStage, func() error { return r.askEmptyStage(ctx, object) })
}

// userTable makes the table that a person made, without a DEFAULT where the service knows none.
func (r *run) userTable(ctx context.Context, name string) (table *bq.Table, withDefault bool, err error) {
	make := func(withDefault bool) (*bq.Table, error) {
		return r.create(ctx, name, &bq.Table{
			Schema:           userSchema(withDefault),
			TimePartitioning: &bq.TimePartitioning{Type: "DAY", Field: "timestamp"},
			Clustering:       &bq.Clustering{Fields: []string{"TEAM_ID", "EVENT"}},
		})
	}
	table, err = make(true)
	if isCode(err, notCovered) {
		r.answer(omittedDefault, CouldNotRun, reasonOf(err))
		table, err = make(false)
		return table, false, err
	}
	return table, true, err
}

// askLoad loads the file as a batch of events is loaded.
func (r *run) askLoad(ctx context.Context, object string) error {
	name := strings.ToLower(r.group) + "_events"
	table, withDefault, err := r.userTable(ctx, name)
	if err != nil {
		return err
	}
	job, err := r.load(ctx, "load", object, name, "WRITE_APPEND", fileSchema())
	if err != nil {
		return err
	}
	rows := int64(len(encoderRows()))
	if job.Status.ErrorResult != nil {
		r.answer(loads, Different, "%s", outcomeOf(job))
		return fmt.Errorf("the file was not loaded: %s", outcomeOf(job))
	}
	r.settle(loads, outputRows(job) == rows, "the job %s; rows of the file: %d, outputRows: %d", outcomeOf(job), rows, outputRows(job))
	after, err := r.readTable(ctx, name)
	if err != nil {
		return err
	}
	r.settle(sameTable, after.CreationTime == table.CreationTime, "creationTime before: %d, after: %d", table.CreationTime, after.CreationTime)
	found, err := r.rows(ctx, name, userSchema(false))
	if err != nil {
		return err
	}
	r.compareRows(found, withDefault)
	return nil
}

func (r *run) readTable(ctx context.Context, name string) (table *bq.Table, err error) {
	err = r.request(ctx, func(ctx context.Context) (err error) {
		table, err = r.svc.BigQuery.Tables.Get(r.cfg.Project, r.cfg.scratch(), r.table(name)).Context(ctx).Do()
		return err
	})
	return table, err
}

// compareRows answers what depends on the rows in the table.
func (r *run) compareRows(found []map[string]any, withDefault bool) {
	differences, plans := differing(found), []string{}
	for _, row := range found {
		plans = append(plans, fmt.Sprint(row["plan"]))
	}
	if len(differences) == 0 {
		r.answer(sameValues, Confirmed, "all values of %d rows are the same", len(found))
	} else {
		r.answer(sameValues, Different, "%s", strings.Join(differences, "; "))
	}
	events := 0
	for _, row := range found {
		if row["EVENT"] != nil && row["TEAM_ID"] != nil {
			events++
		}
	}
	r.settle(columnCase, events == len(encoderRows())-1, "rows with values in EVENT and TEAM_ID: %d of %d", events, len(encoderRows())-1)
	if withDefault {
		free := len(plans) > 0 && strings.Count(strings.Join(plans, " "), "free") == len(plans)
		r.settle(omittedDefault, free, "the column with DEFAULT 'free' holds: %s", strings.Join(plans, ", "))
	}
}

// askEmptyStage loads the file into a new table twice.
func (r *run) askEmptyStage(ctx context.Context, object string) error {
	name := strings.ToLower(r.group) + "_stage"
	if _, err := r.create(ctx, name, &bq.Table{Schema: fileSchema()}); err != nil {
		return err
	}
	first, err := r.load(ctx, "stage", object, name, "WRITE_EMPTY", fileSchema())
	if err != nil {
		return err
	}
	second, err := r.load(ctx, "stage again", object, name, "WRITE_EMPTY", fileSchema())
	if err != nil {
		return err
	}
	refused := second.Status.ErrorResult != nil && second.Status.ErrorResult.Reason == "duplicate"
	r.settle(emptyStage, first.Status.ErrorResult == nil && outputRows(first) == int64(len(encoderRows())) && refused,
		"the first load %s with %d rows; the second one %s", outcomeOf(first), outputRows(first), outcomeOf(second))
	return nil
}

// load runs a load job as production would.
func (r *run) load(ctx context.Context, name, object, table, disposition string, schema *bq.TableSchema) (*bq.Job, error) {
	s, err := r.submit(ctx, name, r.jobID(), &bq.JobConfiguration{Load: &bq.JobConfigurationLoad{
		SourceUris: []string{"gs://" + r.cfg.Loader.Bucket + "/" + object}, SourceFormat: "PARQUET", Schema: schema,
		DestinationTable: r.ref(table), CreateDisposition: "CREATE_NEVER", WriteDisposition: disposition,
	}})
	if err != nil {
		return nil, err
	}
	return r.finish(ctx, s)
}

func outputRows(job *bq.Job) int64 {
	if job.Statistics == nil || job.Statistics.Load == nil {
		return 0
	}
	return job.Statistics.Load.OutputRows
}

// isTaken tells whether a request was refused because the name exists.
func isTaken(err error) bool { return isCode(err, http.StatusPreconditionFailed) }
