// Package model knows what PostHog's Kafka messages mean: how one is decoded into
// a row, and which columns of a BigQuery table the row fills.
//
// The way of a message:
//
//	d := model.NewDecoder(maxBytes)               // one per goroutine
//	err := d.Decode(record.Value, &event)         // nil or a *Reject
//	withheld := appender.Append(&event, &src, now) // into the Builder of one table
//
// A [Decoder] owns the memory its events point to, so an [Event] is good until
// the decoder's next use. An [EventAppender] copies it into a [Builder], for the
// columns that were [Selected] for a table, and that makes Arrow records. A
// [Reject] says why a message is no row; its [Reason] is a metric label.
//
// # Persons
//
// PostHog has two topics for persons: one tells the state of a person, the other
// maps a distinct id to a person. A row of the persons table is a join of both, so no
// message makes one. [Decoder.DecodePerson] and [Decoder.DecodeMapping] turn a
// message into a [Change], a [ChangeAppender] writes changes of both kinds into
// rows of [ChangeColumns], and the persons table is merged from those. A version
// orders the changes of one person or distinct id; where they were read does not.
// A tombstone is a change like any other.
//
// # Columns
//
// [EventColumns] and [PersonColumns] list what tidemark can fill. Tables that
// tidemark creates get the columns PostHog documents, and is_deleted of persons;
// the others are filled if a table has them. The columns properties, set, set_once
// and person_properties hold JSON, and a table has them as STRING or as JSON. A
// STRING column gets the document as received. A JSON column gets what PARSE_JSON
// accepts: documents are mended where that changes nothing that could be kept (see
// [AppendLoadable]), and replaced by NULL where it is hopeless. Append tells of the
// latter, so that the message can be kept elsewhere: nothing is lost in either
// case.
//
// # How decoding works
//
// A message is one JSON object, and its properties are JSON again, in a string
// of it. Decoding takes one pass over the message and one over the properties,
// and copies nothing but strings that hold escapes, which are decoded into the
// decoder's arena. The properties nearly always do, and while they are decoded
// the positions of the quotes in the result are noted. The second pass uses that
// index to step over strings without reading them. A string that holds a
// backslash is marked in the index, and read all the same.
//
// Both passes are one type, scanner: RFC 8259 to the letter, iterative, so deep
// nesting costs no stack, eight bytes at a time where it pays. No package unsafe,
// no assembly.
//
// # Where things are
//
//	type.go, columns.go, personcolumns.go   types, columns, Arrow schema
//	event.go, change.go, reject.go          what decoding gives
//	decoder.go            Decode, the pass over the message
//	fields.go             members of the message into fields of the event
//	person.go             the same for persons and mappings
//	unescape.go           strings of the message, the index of quotes
//	document.go           the pass over the properties: $set, $set_once, $ip
//	scanner.go, strings.go, swar.go   JSON values, strings, eight bytes at a time
//	timestamp.go, uuid.go the two forms of text that are parsed
//	loadable.go           documents for JSON columns, and quoting of elements
//	size.go               how long rows are, as they are written
//	appender.go, changeappender.go   events and changes into Arrow builders
//
// The tests hold a second decoder, made from package jsontext and time.Parse, and
// fuzz tests that compare both.
package model
