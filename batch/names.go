package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Bucket layout. Every name is a pure function of the batch; none is a prefix of another followed by a slash, which
// file-system backed emulators could not hold.
//
//	<prefix>/batches/<batch>.json                        the manifest
//	<prefix>/attempts/<id>.json                          a load that failed, for the day's quotas
//	<prefix>/parts/<batch>/<model>/team=<team>/<n>.parquet  rows; team=0 of several small teams
//	<prefix>/rejects/<batch>/<n>.parquet                 messages that are not rows
//	<prefix>/groups/<group>/…                            what the group has started (package consumer)

// ManifestObject returns the name of the batch's manifest.
func ManifestObject(prefix string, id ID) string {
	return path.Join(prefix, "batches", id.String()+".json")
}

// AttemptObject returns the name under which a failed attempt to load is noted; id tells when.
func AttemptObject(prefix string, id ID) string {
	return path.Join(prefix, "attempts", id.String()+".json")
}

// PartObject returns the name of the n-th part of a team's rows of a model.
func PartObject(prefix string, id ID, model string, team int64, n int) string {
	return path.Join(prefix, "parts", id.String(), model, fmt.Sprintf("team=%d", team), fmt.Sprintf("%05d.parquet", n))
}

// RejectsObject returns the name of the n-th rejects part.
func RejectsObject(prefix string, id ID, n int) string {
	return path.Join(prefix, "rejects", id.String(), fmt.Sprintf("%05d.parquet", n))
}

// JobOf names the batch's job of a kind (stage, apply) on a table. The hash keeps two destinations apart that
// share a table name.
func JobOf(id ID, t Target, kind string) JobRef {
	return JobRef{Project: t.Project, Location: t.Location, Base: fmt.Sprintf("tidemark_%s_%s_%s", id, tableHash(t), kind)}
}

// ApplyJob names the series of jobs that makes the rows of a table of the batch visible, whatever way they take: one series
// per batch and table is the effect. Batches of manifests before version 3 have jobs named after the way.
func ApplyJob(m *Manifest, t *Table) JobRef {
	kind := "apply"
	switch {
	case m.Version >= 3:
	case t.Target.Model == "persons":
		kind = "merge"
	case t.Target.HasJSON():
		kind = "insert"
	default:
		kind = "load"
	}
	return JobOf(m.ID, t.Target, kind)
}

// TableJob names a job on a table that belongs to no batch.
func TableJob(t Target, kind string) JobRef {
	return JobRef{Project: t.Project, Location: t.Location, Base: "tidemark_" + tableHash(t) + "_" + kind}
}

// StageTable returns the name of the batch's n-th stage table for t, n from 1. It lives in t's dataset.
func StageTable(id ID, t Target, n int) string {
	return fmt.Sprintf("tidemark_stage_%s_%s_%d", hex.EncodeToString(id[:]), tableHash(t), n)
}

func tableHash(t Target) string {
	sum := sha256.Sum256([]byte(t.Project + "\x00" + t.Dataset + "\x00" + t.Table))
	return hex.EncodeToString(sum[:8])
}

// Labels let BigQuery's list of jobs and its bills be read by batch, and by team where the table's rows are of one. They
// are a pure function of the manifest, in the characters and the length that BigQuery allows
// (cloud.google.com/bigquery/docs/labels-intro, 2026-09).
func Labels(m *Manifest, t *Table) map[string]string {
	labels := map[string]string{"model": label(t.Target.Model), "batch": m.ID.String()}
	if at := m.Period.Start; !at.IsZero() {
		labels["period"] = at.UTC().Format("2006-01-02t15-04-05z")
	}
	var team int64
	for i, p := range t.Parts {
		if i == 0 {
			team = p.Team
		}
		if p.Team != team {
			team = 0
		}
	}
	if team > 0 {
		labels["team"] = strconv.FormatInt(team, 10)
	}
	return labels
}

// label replaces what a label's value may not hold.
func label(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(s))
	return s[:min(len(s), 63)]
}
