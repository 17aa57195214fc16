// Package bigquery runs BigQuery inside the process.
package bigquery
