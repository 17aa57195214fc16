package warehouse

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"

	"tidemark/batch"
	"tidemark/destination"
	"tidemark/merge"
	"tidemark/model"
)

// The names of operations in errors.
const (
	opReadJob     = "read job"
	opReadTable   = "read table"
	opCreateTable = "create table"
	opDropTable   = "drop table"
	opUpdateTable = "add columns to table"
	opReadDataset = "read dataset"
)

// Table implements [destination.Warehouse].
func (c *Client) Table(ctx context.Context, project, dataset, table string) (info destination.Table, found bool, err error) {
	md, err := c.metadata(ctx, project, dataset, table)
	if err != nil || md == nil {
		return info, false, err
	}
	info = destination.Table{Kind: string(md.Type), Location: md.Location, Fields: fromSchema(md.Schema), Created: md.CreationTime, Rows: int64(md.NumRows),
		Partitions: fromPartitioning(md), FilterRequired: requiresFilter(md), Expires: md.ExpirationTime}
	if info.Location == "" {
		info.Location, err = c.Location(ctx, project, dataset)
	}
	return info, err == nil, err
}

// CreatedAt implements [merge.Warehouse].
func (c *Client) CreatedAt(ctx context.Context, project, dataset, table string) (created time.Time, found bool, err error) {
	md, err := c.metadata(ctx, project, dataset, table)
	if err != nil || md == nil {
		return time.Time{}, false, err
	}
	return md.CreationTime, true, nil
}

// Rows implements [merge.Warehouse].
func (c *Client) Rows(ctx context.Context, project, dataset, table string) (int64, error) {
	md, err := c.metadata(ctx, project, dataset, table)
	if err != nil || md == nil {
		return 0, err
	}
	return int64(md.NumRows), nil
}

// metadata is nil if there is no such table or dataset.
func (c *Client) metadata(ctx context.Context, project, dataset, table string) (md *bigquery.TableMetadata, err error) {
	t, err := c.table(ctx, project, dataset, table)
	if err != nil {
		return nil, err
	}
	err = c.call(ctx, func(ctx context.Context) (err error) {
		md, err = t.Metadata(ctx)
		return err
	})
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(opReadTable, nameOf(t), err)
	}
	return md, nil
}

// EnsureTable implements [destination.Warehouse].
func (c *Client) EnsureTable(ctx context.Context, spec destination.Spec) error {
	columns := make([]batch.Column, len(spec.Columns))
	for i, col := range spec.Columns {
		columns[i] = batch.Column{Name: col.Name, Type: columnType(col, spec.JSON)}
	}
	schema, err := toSchema(columns)
	if err != nil {
		return err
	}
	for i, col := range spec.Columns {
		schema[i].Description = col.Description
	}
	md := &bigquery.TableMetadata{Description: spec.Description, Schema: schema, Clustering: &bigquery.Clustering{Fields: spec.ClusterBy}}
	if p := spec.Partitions; p != nil {
		md.TimePartitioning = &bigquery.TimePartitioning{Type: bigquery.TimePartitioningType(p.Unit), Field: p.Column, Expiration: p.Expiration}
	}
	return c.create(ctx, spec.Project, spec.Dataset, spec.Table, md)
}

func columnType(col model.Column, json bool) string {
	if json && col.JSON {
		return batch.JSONType
	}
	return col.Type.String()
}

// CreateStage implements [merge.Warehouse].
func (c *Client) CreateStage(ctx context.Context, project, dataset, table string, columns []batch.Column, expires time.Time, labels map[string]string) error {
	schema, err := toSchema(columns)
	if err != nil {
		return err
	}
	// The expiration is set at creation: changing it later would need bigquery.tables.update, and with it nothing has to
	// be deleted for the data to go.
	return c.create(ctx, project, dataset, table, &bigquery.TableMetadata{
		Schema: schema, ExpirationTime: expires, Labels: cleanLabels(labels),
	})
}

// CreateSide implements [merge.Warehouse].
func (c *Client) CreateSide(ctx context.Context, project, dataset string, side merge.Side) error {
	schema, err := toSchema(side.Columns)
	if err != nil {
		return err
	}
	md := &bigquery.TableMetadata{Schema: schema, Description: side.Description}
	if len(side.ClusterBy) > 0 {
		md.Clustering = &bigquery.Clustering{Fields: side.ClusterBy}
	}
	if err := c.create(ctx, project, dataset, side.Table, md); err != nil {
		return err
	}
	return c.addColumns(ctx, project, dataset, side.Table, schema)
}

// forEver is the expiration of partitions that are to stay, where the dataset's default would delete them.
const forEver = 100 * 365 * 24 * time.Hour

// keep overrides the dataset's default expirations with ends that are far away: a table that vanishes takes rows with it that
// nothing brings back. (The library does not send NeverExpire when it creates a table.)
func (c *Client) keep(ctx context.Context, project, dataset string, md *bigquery.TableMetadata) error {
	if !md.ExpirationTime.IsZero() {
		return nil
	}
	defaults, err := c.Dataset(ctx, project, dataset)
	if err != nil {
		return err
	}
	if defaults.TableLife > 0 {
		md.ExpirationTime = time.Now().Add(forEver)
	}
	if p := md.TimePartitioning; p != nil && p.Expiration == 0 && defaults.PartitionLife > 0 {
		p.Expiration = forEver
	}
	return nil
}

// addColumns adds the columns that a table of an older version lacks.
func (c *Client) addColumns(ctx context.Context, project, dataset, table string, want bigquery.Schema) error {
	md, err := c.metadata(ctx, project, dataset, table)
	if err != nil || md == nil {
		return err
	}
	schema := md.Schema
	for _, column := range want {
		if !slices.ContainsFunc(schema, func(f *bigquery.FieldSchema) bool { return strings.EqualFold(f.Name, column.Name) }) {
			schema = append(schema, column)
		}
	}
	if len(schema) == len(md.Schema) {
		return nil
	}
	t, err := c.table(ctx, project, dataset, table)
	if err != nil {
		return err
	}
	err = c.call(ctx, func(ctx context.Context) error {
		_, err := t.Update(ctx, bigquery.TableMetadataToUpdate{Schema: schema}, md.ETag)
		return err
	})
	if err != nil && !hasCode(err, http.StatusPreconditionFailed) { // another replica does the same
		return classify(opUpdateTable, nameOf(t), err)
	}
	return nil
}

// CreateView implements [merge.Warehouse].
func (c *Client) CreateView(ctx context.Context, project, dataset string, view merge.View) error {
	if err := c.create(ctx, project, dataset, view.Table, &bigquery.TableMetadata{ViewQuery: view.SQL, Description: view.Description}); err != nil {
		return err
	}
	md, err := c.metadata(ctx, project, dataset, view.Table)
	if err == nil && md != nil && md.Type != bigquery.ViewTable {
		err = fmt.Errorf("%s.%s.%s is of the kind %s; want a VIEW, which is made where nothing has the name: drop or rename it. TIDEMARK_PERSONS_AS may be changed only while `tidemark batches` is empty", project, dataset, view.Table, md.Type)
	}
	return err
}

// create creates a table unless there is one of that name.
func (c *Client) create(ctx context.Context, project, dataset, table string, md *bigquery.TableMetadata) error {
	t, err := c.table(ctx, project, dataset, table)
	if err != nil {
		return err
	}
	if err := c.keep(ctx, project, dataset, md); err != nil {
		return err
	}
	err = c.call(ctx, func(ctx context.Context) error { return t.Create(ctx, md) })
	switch {
	case err == nil:
		c.log.Info("table created", "table", nameOf(t))
		return nil
	case hasCode(err, http.StatusConflict):
		return nil
	}
	return classify(opCreateTable, nameOf(t), err)
}

// DropTable implements [merge.Warehouse].
func (c *Client) DropTable(ctx context.Context, project, dataset, table string) error {
	t, err := c.table(ctx, project, dataset, table)
	if err != nil {
		return err
	}
	err = c.call(ctx, t.Delete)
	switch {
	case err == nil, isNotFound(err):
		return nil
	case hasCode(err, http.StatusForbidden):
		c.log.Warn("stage table not dropped, it expires by itself; bigquery.tables.delete on the dataset would spare its storage", "table", nameOf(t))
		return nil
	}
	return classify(opDropTable, nameOf(t), err)
}

func (c *Client) table(ctx context.Context, project, dataset, table string) (*bigquery.Table, error) {
	p, err := c.project(ctx, project)
	if err != nil {
		return nil, err
	}
	return p.DatasetInProject(project, dataset).Table(table), nil
}

func nameOf(t *bigquery.Table) string {
	return fmt.Sprintf("%s.%s.%s", t.ProjectID, t.DatasetID, t.TableID)
}
