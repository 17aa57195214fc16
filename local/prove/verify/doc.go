// Package verify proves, after the fact, that a table holds a topic exactly once.
//
// It reads the whole topic and the whole table through plain clients, folds the
// messages in the simplest way that is right (a JSON library, one pass per level),
// and compares row by row. It shares no code with tidemark on purpose: an error
// in the decoder must not be made twice.
//
// What must hold:
//
//   - no (topic, partition, offset) is in the table twice;
//   - every acceptable message has a row at its offset, unless another row has
//     the same event: team, UTC day of the timestamp, event, distinct ID and UUID
//     (repeats inside one batch are dropped);
//   - a row's values are those of the message at its offset, and UUIDs are in lower
//     case, in whatever case they came;
//   - no row is without its message, and none is of a message that had to be
//     refused.
//
// Acceptable is a JSON object of at most MaxBytes with a positive integer
// team_id (also as a string), a UUID of 36 characters and a readable timestamp. Of
// members with one name the first counts, in a message and in a document.
//
// Documents (properties and the like) in STRING columns are compared as text, in
// JSON columns as parsed documents with numbers as BigQuery keeps them. In one
// respect a difference is forgiven, because tidemark mends what PARSE_JSON would
// refuse: an escaped lone surrogate equals U+FFFD, and a raw control character
// inside a string equals its escape.
//
// Values are compared by SHA-256, so that memory is 68 bytes per message. BigQuery
// makes the hash of a row, over the texts of all columns that are checked, and
// only rows whose hash is not the message's are read, to compare what they mean.
// Tables with JSON columns are read whole.
//
// # Persons
//
// Persons compares a table of persons with the topics of persons and of distinct
// IDs. What it has to hold is PersonsFold, which tests of other packages may use
// alone: one row per (team_id, distinct_id), the latest mapping joined with the
// latest person of the same team, where the higher version is the later one. A
// distinct ID of an unknown person has no row, nor has a person without distinct
// ID. If either is deleted, the row says so (DeletesMark), or there is none
// (DeletesRemove).
//
// Acceptable is a JSON object with a positive integer team_id (also as a string),
// a person's UUID of 36 characters, no version or one from 0 to the largest INT64,
// and in the topic of distinct IDs one that is not empty. Texts that are no JSON
// strings are their JSON. Messages are matched by UUID, hence in any case; rows have it in lower case.
// A created_at that cannot be read is NULL, a flag that is missing false. Memory is
// what the table holds.
package verify
