package bigquery

import (
	"context"
	"strings"

	bq "google.golang.org/api/bigquery/v2"
)

// maxURIs is the limit of sources per load job
// (docs.cloud.google.com/bigquery/quotas#load_jobs, 2026-08-22).
const maxURIs = 10_000

// load is a load job: Parquet objects appended to a table, all or none.
type load struct {
	server *Server
	ref    tableRef
	region string
	config *bq.JobConfigurationLoad
	target dmlTarget // as the job found it
}

func (l *load) kind() string       { return kindLoad }
func (l *load) place() string      { return l.region }
func (l *load) writes() []tableRef { return []tableRef{l.ref} }

// planLoad checks a load job's configuration, which BigQuery refuses before there
// is a job. A missing table is found out by the job; a missing dataset or one in
// another location is not found here.
func (s *Server) planLoad(config *bq.JobConfigurationLoad, location string) (*load, error) {
	if config.DestinationTable == nil {
		return nil, invalid("Required parameter is missing: destinationTable")
	}
	ref := s.catalog.canonical(refOf(config.DestinationTable))
	if strings.ContainsAny(ref.table, "$@") {
		return nil, notImplemented("partition decorators (%s)", ref.table)
	}
	if isView(s.catalog, ref) {
		return nil, errView("a load job", ref)
	}
	dataset, err := s.datasetIn(ref.parent(), location)
	if err != nil {
		return nil, err
	}
	if err := checkLoadOptions(config); err != nil {
		return nil, err
	}
	if err := checkSources(config.SourceUris); err != nil {
		return nil, err
	}
	if config.Schema == nil {
		return nil, notImplemented("load jobs without an explicit schema")
	}
	if err := normalizeSchema(config.Schema); err != nil {
		return nil, err
	}
	// docs.cloud.google.com/bigquery/docs/json-data#load_from_newline_delimited_json_files:
	// "Other batch load formats are not supported"; the message is BigQuery's
	// (github.com/googleapis/python-bigquery/issues/1966).
	if hasJSON(config.Schema) {
		return nil, invalid("Unsupported field type: JSON")
	}
	if table, err := s.catalog.table(ref); err == nil && hasJSON(table.Schema) {
		return nil, invalid("Unsupported field type: JSON")
	}
	return &load{server: s, ref: ref, region: dataset.Location, config: config}, nil
}

// datasetIn finds the dataset, in any location if none is given.
func (s *Server) datasetIn(ref datasetRef, location string) (*bq.Dataset, error) {
	d, err := s.catalog.dataset(ref)
	if err != nil {
		return nil, err
	}
	if location != "" && sameLocation(location) != d.Location {
		return nil, s.catalog.elsewhere(ref, location)
	}
	return d, nil
}

// checkLoadOptions refuses every option that would have an effect that is not had
// here, rather than load something else than BigQuery would.
func checkLoadOptions(c *bq.JobConfigurationLoad) error {
	refused := map[string]bool{
		"sourceFormat " + c.SourceFormat:            c.SourceFormat != "PARQUET",
		"createDisposition other than CREATE_NEVER": c.CreateDisposition != "CREATE_NEVER",
		"autodetect":                         c.Autodetect,
		"schemaUpdateOptions":                len(c.SchemaUpdateOptions) > 0,
		"ignoreUnknownValues":                c.IgnoreUnknownValues,
		"maxBadRecords":                      c.MaxBadRecords != 0,
		"timePartitioning of a load job":     c.TimePartitioning != nil,
		"rangePartitioning":                  c.RangePartitioning != nil,
		"clustering of a load job":           c.Clustering != nil,
		"hivePartitioningOptions":            c.HivePartitioningOptions != nil,
		"decimalTargetTypes":                 len(c.DecimalTargetTypes) > 0,
		"destinationEncryptionConfiguration": c.DestinationEncryptionConfiguration != nil,
		"destinationTableProperties":         c.DestinationTableProperties != nil,
		"columnNameCharacterMap":             c.ColumnNameCharacterMap != "" && c.ColumnNameCharacterMap != "STRICT",
		"createSession":                      c.CreateSession,
		"projectionFields":                   len(c.ProjectionFields) > 0,
		"fileSetSpecType":                    c.FileSetSpecType != "",
		"referenceFileSchemaUri":             c.ReferenceFileSchemaUri != "",
	}
	if p := c.ParquetOptions; p != nil {
		refused["parquetOptions.enumAsString"] = p.EnumAsString
		refused["parquetOptions.mapTargetType"] = p.MapTargetType != "" && p.MapTargetType != "MAP_TARGET_TYPE_UNSPECIFIED"
	}
	for what, isSet := range refused {
		if isSet {
			return notImplemented("%s", what)
		}
	}
	switch c.WriteDisposition {
	case "", "WRITE_APPEND", "WRITE_EMPTY":
		return nil
	}
	return notImplemented("writeDisposition %s of load jobs", c.WriteDisposition)
}

// checkSources accepts exact, distinct names of objects.
func checkSources(uris []string) error {
	if len(uris) == 0 {
		return invalid("Required parameter is missing: sourceUris")
	}
	if len(uris) > maxURIs {
		return invalid("Too many source URIs: %d, at most %d", len(uris), maxURIs)
	}
	seen := make(map[string]bool, len(uris))
	for _, uri := range uris {
		bucket, name, ok := splitURI(uri)
		switch {
		case !ok || bucket == "" || name == "":
			return invalid("Invalid source URI %q", uri)
		case strings.Contains(uri, "*"):
			return notImplemented("wildcards in source URIs (%s)", uri)
		case seen[uri]:
			return notImplemented("a source URI that is given twice (%s)", uri)
		}
		seen[uri] = true
	}
	return nil
}

func splitURI(uri string) (bucket, name string, ok bool) {
	path, ok := strings.CutPrefix(uri, "gs://")
	if !ok {
		return "", "", false
	}
	bucket, name, _ = strings.Cut(path, "/")
	return bucket, name, true
}

// run fetches the objects, checks them against the schema and the schema against
// the table, and inserts.
func (l *load) run(ctx context.Context, t *txn, stats *bq.JobStatistics) (*result, error) {
	table, err := l.server.catalog.table(l.ref)
	if err != nil {
		return nil, err
	}
	l.target = dmlTarget{ref: l.ref, table: table, catalog: l.server.catalog, now: l.server.cfg.Now()}
	if err := checkLoadSchema(l.ref, l.config.Schema, table.Schema); err != nil {
		return nil, err
	}
	if err := l.checkEmpty(ctx, t); err != nil {
		return nil, err
	}
	files, err := l.fetch(ctx)
	if err != nil {
		return nil, err
	}
	defer files.remove()
	if err := l.checkFiles(ctx, t, files); err != nil {
		return nil, err
	}
	if err := l.checkRows(ctx, t, files); err != nil {
		return nil, err
	}
	if err := l.checkPartitions(ctx, t, files); err != nil {
		return nil, err
	}
	rows, err := t.exec(ctx, l.insertSQL(files))
	if err != nil {
		return nil, l.rowError(err)
	}
	stats.Load = &bq.JobStatistics3{
		InputFiles:      int64(len(files.paths)),
		InputFileBytes:  files.bytes,
		OutputRows:      rows,
		OutputBytes:     files.uncompressed,
		ForceSendFields: []string{"InputFiles", "InputFileBytes", "OutputRows", "OutputBytes"},
	}
	return nil, nil
}

// checkEmpty enforces WRITE_EMPTY
// (docs.cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationLoad:
// "a 'duplicate' error is returned in the job result").
func (l *load) checkEmpty(ctx context.Context, t *txn) error {
	if l.config.WriteDisposition != "WRITE_EMPTY" {
		return nil
	}
	rows, err := t.count(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+l.ref.physical()+" LIMIT 1)")
	if err == nil && rows > 0 {
		err = errExists(l.ref)
	}
	return err
}

// checkLoadSchema compares the job's schema with the table's: it may lack columns
// that are not required, and must agree on the others
// (docs.cloud.google.com/bigquery/docs/managing-table-schemas).
func checkLoadSchema(ref tableRef, given, table *bq.TableSchema) error {
	for _, field := range given.Fields {
		target := fieldNamed(table, field.Name)
		switch {
		case target == nil:
			return invalid("Provided Schema does not match Table %s. Cannot add fields (field: %s)", ref, field.Name)
		case target.Type != field.Type:
			return errTypeChanged(ref, target, field)
		case (target.Mode == modeRepeated) != (field.Mode == modeRepeated),
			target.Mode == modeRequired && field.Mode != modeRequired:
			return errModeChanged(ref, target, field)
		}
	}
	for _, target := range table.Fields {
		if target.Mode == modeRequired && fieldNamed(given, target.Name) == nil {
			return invalid("Provided Schema does not match Table %s. Field %s is missing in new schema", ref, target.Name)
		}
	}
	return nil
}
