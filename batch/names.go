package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
)

// Bucket layout. Every name is a pure function of the batch; none is a prefix of another followed by a slash, which
// file-system backed emulators could not hold.
//
//	<prefix>/batches/<batch>.json                        the manifest
//	<prefix>/parts/<batch>/<model>/team=<team>/<n>.parquet  rows
//	<prefix>/rejects/<batch>/<n>.parquet                 messages that are not rows
//	<prefix>/groups/<group>/…                            what the group has started (package consumer)

// ManifestObject returns the name of the batch's manifest.
func ManifestObject(prefix string, id ID) string {
	return path.Join(prefix, "batches", id.String()+".json")
}

// PartObject returns the name of the n-th part of a team's rows of a model.
func PartObject(prefix string, id ID, model string, team int64, n int) string {
	return path.Join(prefix, "parts", id.String(), model, fmt.Sprintf("team=%d", team), fmt.Sprintf("%05d.parquet", n))
}

// RejectsObject returns the name of the n-th rejects part.
func RejectsObject(prefix string, id ID, n int) string {
	return path.Join(prefix, "rejects", id.String(), fmt.Sprintf("%05d.parquet", n))
}

// JobBase returns the ID, without the attempt suffix -gN, of the batch's job of a kind (load, stage, insert, merge) on
// a table. The hash keeps two destinations apart that share a table name.
func JobBase(id ID, t Target, kind string) string {
	return fmt.Sprintf("tidemark_%s_%s_%s", id, tableHash(t), kind)
}

// StageTable returns the name of the batch's n-th stage table for t, n from 1. It lives in t's dataset.
func StageTable(id ID, t Target, n int) string {
	return fmt.Sprintf("tidemark_stage_%s_%s_%d", hex.EncodeToString(id[:]), tableHash(t), n)
}

func tableHash(t Target) string {
	sum := sha256.Sum256([]byte(t.Project + "\x00" + t.Dataset + "\x00" + t.Table))
	return hex.EncodeToString(sum[:8])
}
