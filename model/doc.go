// Package model knows what a Kafka message of PostHog means: how it is decoded
// into a row and which columns that row fills.
package model
