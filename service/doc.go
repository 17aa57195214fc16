// Package service wires tidemark together: it reads the configuration, checks that everything the configuration names
// is there, runs one consumer session after the other, and serves metrics and status over HTTP.
//
// It is the only package that knows all the others. Local mode calls the same [Run] as production.
package service
