//go:build deps

package local

import (
	_ "cloud.google.com/go/bigquery"
	_ "cloud.google.com/go/storage"
	_ "github.com/apache/arrow/go/v17/arrow/array"
	_ "github.com/apache/arrow/go/v17/parquet/pqarrow"
	_ "github.com/go-json-experiment/json/jsontext"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/google/uuid"
	_ "github.com/kelseyhightower/envconfig"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/prometheus/client_golang/prometheus/testutil"
	_ "github.com/stretchr/testify/require"
	_ "github.com/twmb/franz-go/pkg/kadm"
	_ "github.com/twmb/franz-go/pkg/kgo"
	_ "github.com/twmb/franz-go/pkg/kmsg"
	_ "github.com/twmb/franz-go/pkg/sasl/plain"
	_ "github.com/twmb/franz-go/pkg/sasl/scram"
	_ "github.com/twmb/franz-go/plugin/kprom"
	_ "golang.org/x/sync/errgroup"
	_ "google.golang.org/api/googleapi"
	_ "google.golang.org/api/option"
	_ "github.com/duckdb/duckdb-go/v2"
	_ "github.com/fsouza/fake-gcs-server/fakestorage"
	_ "github.com/twmb/franz-go/pkg/kfake"
	_ "golang.org/x/term"
	_ "google.golang.org/api/bigquery/v2"
)
