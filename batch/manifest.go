package batch

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ManifestVersion is the newest version of the manifest format. This tidemark reads all up to it, and writes the oldest that
// says all there is to say ([Contents.Version]): version 2 added the persons model, which a reader of version 1 would load
// straight into the table; version 3 gave the jobs one name ([ApplyJob]), which a reader of version 2 would not look for;
// version 4 added views, into which a reader of version 3 would merge as if they were tables.
const ManifestVersion = 4

// ErrManifestVersion means that a newer tidemark wrote the manifest.
var ErrManifestVersion = errors.New("manifest of a version this tidemark does not know")

// Manifest says everything that is needed to finish a batch: whoever finds the batch's name in commit metadata reads
// it and needs nothing else, neither today's configuration nor Kafka's records. It is written once, before prepare,
// and never changed. ARCHITECTURE.md describes the format.
type Manifest struct {
	// Version is [Contents.Version] of what a replica has sealed.
	Version int    `json:"version"`
	ID      ID     `json:"id"`
	Group   string `json:"group"`
	// Stream is what the batch belongs to: its topics' records go out together.
	Stream string `json:"stream"`
	// Reason the batch was sealed for: boundary, size, revoke or shutdown.
	Reason   string    `json:"reason"`
	Period   Period    `json:"period"`
	SealedAt time.Time `json:"sealed_at"`
	// Oldest is an instant before which none of the batch's records came to Kafka: what the flush lag is measured from.
	Oldest time.Time `json:"oldest"`
	// IngestedAt is the value of bq_ingested_timestamp in every row.
	IngestedAt time.Time `json:"ingested_at"`
	Ranges     []Range   `json:"ranges"`
	Contents
}

// Contents is what the records of a batch became.
type Contents struct {
	Tables  []Table `json:"tables"`
	Rejects []Part  `json:"rejects"`
	Counts  Counts  `json:"counts"`
}

// Version is the oldest version of the manifest format that says all that c does.
func (c Contents) Version() int {
	if slices.ContainsFunc(c.Tables, func(t Table) bool { return t.Target.View }) {
		return ManifestVersion
	}
	return 3
}

// Table is the rows of a batch for one destination table.
type Table struct {
	Target Target `json:"target"`
	Parts  []Part `json:"parts"`
	// Partitions is how many partitions of the table the rows are in, as far as that is known; 0 counts as one.
	Partitions int `json:"partitions,omitempty"`
	// Staged says that the rows go by a stage table and one INSERT … SELECT. It is decided once, so that all look for the same
	// jobs. Manifests before it was written say so by their columns.
	Staged bool `json:"staged,omitempty"`
	// Keys bound the keys of the rows of a merged model.
	Keys *Keys `json:"keys,omitempty"`
}

// Rows returns the number of rows in the parts.
func (t *Table) Rows() (rows int64) {
	for _, p := range t.Parts {
		rows += p.Rows
	}
	return rows
}

// URIs are the parts' places in a bucket, for a load job.
func (t *Table) URIs(bucket string) []string {
	uris := make([]string, len(t.Parts))
	for i, p := range t.Parts {
		uris[i] = "gs://" + bucket + "/" + p.Object
	}
	return uris
}

// Target is a destination table as it was resolved when the batch was opened.
type Target struct {
	Model    string   `json:"model"` // "events" or "persons"
	Project  string   `json:"project"`
	Location string   `json:"location"` // of the dataset; jobs are found only there
	Dataset  string   `json:"dataset"`
	Table    string   `json:"table"`
	Columns  []Column `json:"columns"` // the columns that are filled, by name
	// Partitions says how the table is partitioned; nil if it is not, or if the manifest is older.
	Partitions *Partitioning `json:"partitioning,omitempty"`
	// StatusTable is the table in the dataset that says how far the others are complete; empty if there is none.
	StatusTable string `json:"status_table,omitempty"`
	// View says that the table is a view over the side tables of persons, which merges keep instead of a third table.
	View bool `json:"view,omitempty"`
	// RemoveDeleted says that rows of deleted persons leave the table; otherwise they stay and is_deleted says so.
	RemoveDeleted bool `json:"remove_deleted,omitempty"`
}

// String returns project.dataset.table.
func (t Target) String() string { return t.Project + "." + t.Dataset + "." + t.Table }

// HasJSON says whether a column has the type JSON, which Parquet cannot be loaded into.
func (t Target) HasJSON() bool {
	return slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Type == JSONType })
}

// JSONType is BigQuery's name of its JSON type. Such a column is a string in the parts.
const JSONType = "JSON"

// Column is a column of a destination table that the batch fills. Type is the table's (GoogleSQL name: STRING, JSON,
// INT64, BOOL, TIMESTAMP).
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Part is one object in the bucket.
type Part struct {
	Object string `json:"object"` // name inside the bucket
	Team   int64  `json:"team,omitempty"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	CRC32C uint32 `json:"crc32c"` // Castagnoli, as Cloud Storage reports it
}

// Counts accounts for every record of the batch.
type Counts struct {
	Consumed   int64 `json:"consumed"`
	Duplicates int64 `json:"duplicates"` // the same event earlier in the batch; dropped
	Superseded int64 `json:"superseded"` // of merged models: the batch has the key in this or a later version; dropped
	Skipped    int64 `json:"skipped"`    // of teams without a destination
	Rejected   int64 `json:"rejected"`   // not decodable; in the rejects part
	Nulled     int64 `json:"nulled"`     // rows kept with a NULL where BigQuery would refuse the document; original in the rejects part
}

// Encode returns the manifest's JSON. The bytes are a pure function of the manifest.
func (m *Manifest) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode manifest %s: %w", m.ID, err)
	}
	return append(b, '\n'), nil
}

// DecodeManifest reads and checks a manifest.
func DecodeManifest(b []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("decode manifest: %w", err)
	}
	if m.Version < 1 || m.Version > ManifestVersion {
		return nil, fmt.Errorf("manifest %s: found version %d, know 1 to %d: %w", m.ID, m.Version, ManifestVersion, ErrManifestVersion)
	}
	for i := range m.Ranges {
		if m.Version < 3 { // which had no leader epochs
			m.Ranges[i].Epoch = -1
		}
	}
	return m, m.Check()
}

// Check is the first half of the double count: every consumed record is a row, a dropped duplicate, superseded,
// skipped or rejected, and the ranges are well formed. (The second half, BigQuery's own count, is taken after each job.)
func (m *Manifest) Check() error {
	var records, rows, rejected int64
	for _, r := range m.Ranges {
		if r.Start < 0 || r.End < r.Start || r.Records < 0 || r.Records > r.End-r.Start {
			return fmt.Errorf("manifest %s: %s has range [%d, %d) with %d records", m.ID, r.TopicPartition, r.Start, r.End, r.Records)
		}
		records += r.Records
	}
	for i := range m.Tables {
		rows += m.Tables[i].Rows()
	}
	for _, p := range m.Rejects {
		rejected += p.Rows
	}
	c := m.Counts
	if sum := rows + c.Duplicates + c.Superseded + c.Skipped + c.Rejected; records != c.Consumed || sum != c.Consumed || rejected != c.Rejected+c.Nulled {
		return fmt.Errorf("manifest %s does not add up: ranges hold %d records and %d were consumed; %d rows + %d duplicates + %d superseded + %d skipped + %d rejected = %d; %d rejects written for %d rejected + %d nulled: %w",
			m.ID, records, c.Consumed, rows, c.Duplicates, c.Superseded, c.Skipped, c.Rejected, sum, rejected, c.Rejected, c.Nulled, ErrMiscount)
	}
	return nil
}

// ErrMiscount means that records or rows are unaccounted for. Nothing is committed over it.
var ErrMiscount = errors.New("records and rows do not add up")

// Range returns the batch's range of tp.
func (m *Manifest) Range(tp TopicPartition) (Range, bool) {
	i := slices.IndexFunc(m.Ranges, func(r Range) bool { return r.TopicPartition == tp })
	if i < 0 {
		return Range{}, false
	}
	return m.Ranges[i], true
}

// Partitions returns the partitions of the ranges.
func (m *Manifest) Partitions() []TopicPartition {
	tps := make([]TopicPartition, len(m.Ranges))
	for i, r := range m.Ranges {
		tps[i] = r.TopicPartition
	}
	return tps
}
