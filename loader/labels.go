package loader

import (
	"strconv"
	"strings"
	"time"

	"tidemark/batch"
)

// maxLabel is the length of a label's value, https://cloud.google.com/bigquery/docs/labels-intro, 2026-09.
const maxLabel = 63

// labels make BigQuery's list of jobs and its bills readable. They are a pure function of the manifest. An instant is
// written 2006-01-02t15-04-05z, since a value has lower-case letters, digits, _ and - only.
func labels(m *batch.Manifest, t *batch.Table) map[string]string {
	l := map[string]string{"model": label(t.Target.Model), "batch": label(m.ID.String())}
	if !m.Period.Start.IsZero() {
		l["period"] = labelTime(m.Period.Start)
	}
	if !m.Watermark.IsZero() {
		l["watermark"] = labelTime(m.Watermark)
	}
	if team, ok := onlyTeam(t.Parts); ok {
		l["team"] = strconv.FormatInt(team, 10)
	}
	return l
}

// onlyTeam returns the team of the parts if they have the same one; team 0 stands for several.
func onlyTeam(parts []batch.Part) (int64, bool) {
	for _, p := range parts {
		if p.Team != parts[0].Team {
			return 0, false
		}
	}
	return parts[0].Team, parts[0].Team > 0
}

func labelTime(t time.Time) string { return label(t.UTC().Format("2006-01-02T15-04-05Z")) }

// label makes s a valid value: everything else becomes a hyphen.
func label(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(s))
	return s[:min(len(s), maxLabel)]
}
