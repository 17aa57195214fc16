package loader

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// Config is where parts and manifests go. Variables carry the prefix TIDEMARK_.
type Config struct {
	// Bucket holds parts, rejects and manifests.
	Bucket string `envconfig:"BUCKET" required:"true" desc:"Cloud Storage bucket for Parquet parts, rejects and manifests, in the location of the BigQuery dataset."`
	// Prefix comes first in every object name. Deployments that share a bucket need different ones.
	Prefix string `envconfig:"PREFIX" default:"tidemark" desc:"First part of every object name, without a slash at either end; deployments that share a bucket need different ones."`
	// Compression of the Parquet pages.
	Compression string `envconfig:"COMPRESSION" default:"zstd" desc:"Compression of Parquet pages: zstd, or snappy for a little less CPU and twice the bytes."`
	// GCSEndpoint replaces Google's, without credentials.
	GCSEndpoint string `envconfig:"GCS_ENDPOINT" desc:"Cloud Storage endpoint as scheme://host:port, for an emulator; no credentials are sent to it. Empty = Google's."`
}

// The values of [Config.Compression].
const (
	zstdName   = "zstd"
	snappyName = "snappy"
)

// Validate reports every fault of the configuration, each with the variable, the value and what is allowed.
func (c *Config) Validate() error {
	var errs []error
	fault := func(name, value, want string) {
		errs = append(errs, fmt.Errorf("TIDEMARK_%s is %q; want %s", name, value, want))
	}
	// https://cloud.google.com/storage/docs/buckets#naming, 2026-09
	if ok, _ := regexp.MatchString(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`, c.Bucket); !ok { // the pattern is valid
		fault("BUCKET", c.Bucket, "the name of a bucket, without gs://")
	}
	// "a/./b" and "a//b" are other objects than "a/b" in Cloud Storage, but not for BigQuery, which collapses slashes.
	if c.Prefix == "" || c.Prefix != path.Clean(c.Prefix) || strings.HasPrefix(c.Prefix, "/") || strings.HasPrefix(c.Prefix, ".") || strings.ContainsAny(c.Prefix, "*?#[]\r\n") {
		fault("PREFIX", c.Prefix, "a path without a slash at either end, dots alone, wildcards or line ends")
	}
	if c.Compression != zstdName && c.Compression != snappyName {
		fault("COMPRESSION", c.Compression, zstdName+" or "+snappyName)
	}
	if c.GCSEndpoint != "" && !isOrigin(c.GCSEndpoint) {
		fault("GCS_ENDPOINT", c.GCSEndpoint, "scheme://host:port without a path, for example http://127.0.0.1:4443")
	}
	return errors.Join(errs...)
}

// isOrigin says whether s is scheme://host:port and nothing else.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && s == u.Scheme+"://"+u.Host
}
