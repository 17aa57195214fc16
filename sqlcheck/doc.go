// Package sqlcheck has GoogleSQL's own analyzer check every statement that tidemark sends, and the queries its
// documentation shows. It is a module of its own, and not in go.work, because the analyzer takes minutes and some 6 GB of
// memory to build:
//
//	cd sqlcheck && GOWORK=off go test ./...
//
// Scripts are parsed whole and analyzed statement by statement, with the types of their parameters, against the tables
// that package merge makes. It says nothing of what BigQuery finds out later: rows that match twice, quotas, permissions,
// and what transactions allow.
package sqlcheck
