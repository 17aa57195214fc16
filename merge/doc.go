// Package merge moves rows that cannot be loaded straight into their table. It is the only place that builds SQL.
//
// [Inserter] serves tables with JSON columns, which BigQuery cannot load Parquet into: the parts are loaded into a stage
// table whose JSON columns are STRING, and one INSERT … SELECT moves them with PARSE_JSON. A stage table is named after
// the batch and used once; it expires by itself. Loads are free of charge, and the load counts against the stage's own
// name in the quota of load jobs per table and day; the INSERT is billed for the bytes of the stage.
//
// Whoever applies a batch may have been preceded by somebody who got any part of the way, and may be accompanied by
// somebody on the same way. So it looks from the end backwards: if the INSERT is done, nothing before it matters; if the
// stage's load is done, the stage is not made again. See [Inserter.Apply].
package merge
