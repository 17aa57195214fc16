package probe

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// P3: JSON and dates.
var (
	jsonRefused = question{
		ID:        "P3a",
		Assumes:   "a Parquet text cannot be loaded into a JSON column",
		Confirmed: "rows of tables with JSON columns go by a stage and one billed INSERT",
		Different: "tables with JSON columns could be loaded directly, and free of charge: report it with the file of --out",
		Unknown:   "rows of tables with JSON columns go by a stage and one billed INSERT",
	}
	jsonDepth = question{
		ID:        "P3b",
		Assumes:   "PARSE_JSON takes 500 levels and refuses 501",
		Confirmed: "what tidemark takes for JSON is what BigQuery takes",
		Different: "one document of such a depth in a JSON column would make the INSERT of its batch fail: use STRING columns, and report it with the file of --out",
		Unknown:   "documents of more than 500 levels are not written to JSON columns",
	}
	jsonNumbers = question{
		ID:        "P3c",
		Assumes:   "PARSE_JSON with wide_number_mode 'round' takes 1e308 and numbers with many digits, and refuses 1e309",
		Confirmed: "what tidemark takes for JSON is what BigQuery takes",
		Different: "one such number in a JSON column would make the INSERT of its batch fail, or is taken where tidemark expects a refusal: report it with the file of --out",
		Unknown:   "use STRING columns if your events hold such numbers",
	}
	jsonTexts = question{
		ID:        "P3d",
		Assumes:   "PARSE_JSON takes an escaped NUL and refuses half of a surrogate pair",
		Confirmed: "tidemark replaces halves of surrogate pairs and leaves NUL alone",
		Different: "a NUL in a JSON column would make the INSERT of its batch fail, or halves of surrogate pairs need no mending: report it with the file of --out",
		Unknown:   "tidemark replaces halves of surrogate pairs and leaves NUL alone",
	}
	oldDates = question{
		ID:        "P3e",
		Assumes:   "INSERT takes timestamps of 1959, 1969, 2160 and 9999 into a table that is partitioned by day",
		Confirmed: "an event of any year does not stop its batch",
		Different: "one event of such a year would stop the INSERT of its batch in a table with JSON columns: use STRING columns, and report it with the file of --out",
		Unknown:   "use STRING columns, whose rows are loaded and not inserted",
	}
)

func valueQuestions() []question {
	return []question{jsonRefused, jsonDepth, jsonNumbers, jsonTexts, oldDates}
}

// values asks P3.
func (r *run) values(ctx context.Context) error {
	for _, ask := range []struct {
		question question
		run      func(context.Context) error
	}{
		{jsonRefused, r.askJSONLoad}, {oldDates, r.askDates},
	} {
		if err := r.try(ctx, ask.question, func() error { return ask.run(ctx) }); err != nil {
			return err
		}
	}
	nested := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	for _, ask := range []struct {
		question question
		texts    []jsonText
	}{
		{jsonDepth, []jsonText{{"499 levels", nested(499), true}, {"500 levels", nested(500), true}, {"501 levels", nested(501), false}}},
		{jsonNumbers, []jsonText{{"1e308", "1e308", true}, {"3.14159265358979323846264338327", "3.14159265358979323846264338327", true}, {"1e309", "1e309", false}}},
		{jsonTexts, []jsonText{{"NUL", `{"a":"x\u0000y"}`, true}, {"half of a surrogate pair", `{"a":"\ud800"}`, false}}},
	} {
		if err := r.try(ctx, ask.question, func() error { return r.askJSON(ctx, ask.question, ask.texts) }); err != nil {
			return err
		}
	}
	return nil
}

// askJSONLoad loads a file of the encoder with the schema of a JSON column.
func (r *run) askJSONLoad(ctx context.Context) error {
	data, err := r.encodedRows()
	if err != nil {
		return err
	}
	object := r.object("json.parquet")
	if err := r.put(ctx, object, data); err != nil {
		return err
	}
	schema := columns("properties JSON")
	if _, err := r.create(ctx, "json", &bq.Table{Schema: schema}); err != nil {
		return err
	}
	job, err := r.load(ctx, "JSON", object, "json", "WRITE_APPEND", schema)
	switch {
	case err != nil && !isCode(err, http.StatusBadRequest):
		return err
	case err != nil:
		r.answer(jsonRefused, Confirmed, "the request was refused: %s", refusal(err).Message)
	default:
		r.settle(jsonRefused, job.Status.ErrorResult != nil, "the job %s", outcomeOf(job))
	}
	return nil
}

// jsonText is a document, and whether PARSE_JSON should take it.
type jsonText struct {
	name, text string
	taken      bool
}

// askJSON parses documents, each by a query that reads no table and is billed nothing.
func (r *run) askJSON(ctx context.Context, q question, texts []jsonText) error {
	holds := true
	var found []string
	for _, t := range texts {
		job, err := r.query(ctx, query{
			name: q.ID + " " + t.name, sql: "SELECT TO_JSON_STRING(PARSE_JSON(@text, wide_number_mode => 'round')) AS json",
			params: []*bq.QueryParameter{param("text", t.text)},
		})
		if err != nil {
			return err
		}
		taken := job.Status.ErrorResult == nil
		holds = holds && taken == t.taken
		words := "taken"
		if !taken {
			words = "refused (" + job.Status.ErrorResult.Reason + ")"
		}
		found = append(found, t.name+": "+words)
	}
	r.settle(q, holds, "%s", strings.Join(found, "; "))
	return nil
}

// askDates inserts instants that no partition of a day can hold, or that are before 1970.
func (r *run) askDates(ctx context.Context) error {
	if _, err := r.create(ctx, "dates", &bq.Table{
		Schema: columns("happened TIMESTAMP"), TimePartitioning: &bq.TimePartitioning{Type: "DAY", Field: "happened"},
	}); err != nil {
		return err
	}
	holds := true
	var found []string
	for _, year := range []int{1959, 1969, 2160, 9999} {
		job, err := r.query(ctx, query{
			name: fmt.Sprintf("INSERT %d", year), tables: 1,
			sql: fmt.Sprintf("INSERT INTO %s (happened) VALUES (TIMESTAMP '%d-06-01 12:00:00.123456+00')", r.quoted("dates"), year),
		})
		if err != nil {
			return err
		}
		holds = holds && job.Status.ErrorResult == nil
		found = append(found, fmt.Sprintf("%d: %s", year, outcomeOf(job)))
	}
	r.settle(oldDates, holds, "%s", strings.Join(found, "; "))
	return nil
}
