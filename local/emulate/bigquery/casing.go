package bigquery

import "strings"

// canonical is the name under which a table is known: in a dataset that ignores case,
// that of the table whose name differs in case only.
func (c *catalog) canonical(ref tableRef) tableRef {
	parent := c.canonicalDataset(ref.parent())
	ref.dataset = parent.dataset
	c.mu.RLock()
	defer c.mu.RUnlock()
	d := c.datasets[parent]
	if d == nil || !d.IsCaseInsensitive || c.tables[ref] != nil {
		return ref
	}
	for other := range c.tables {
		if other.parent() == parent && strings.EqualFold(other.table, ref.table) {
			return other
		}
	}
	return ref
}

// canonicalDataset is the same of a dataset, whose own name ignores case then, too
// (docs.cloud.google.com/bigquery/docs/reference/rest/v2/datasets#Dataset.FIELDS.is_case_insensitive).
func (c *catalog) canonicalDataset(ref datasetRef) datasetRef {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.datasets[ref] != nil {
		return ref
	}
	for other, d := range c.datasets {
		if d.IsCaseInsensitive && other.project == ref.project && strings.EqualFold(other.dataset, ref.dataset) {
			return other
		}
	}
	return ref
}
