package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is a peer's three runs.
type row struct {
	name                 string
	alone, killed, worst outcome
}

func header() []string {
	return []string{"peer", "records/CPU-s", "CPU µs/rec", "CPU s to start", "peak RSS MiB", "seconds", "missing", "duplicated",
		"kills", "peak after kills", "missing after kills", "duplicated after kills", "left out by insertId",
		"missing after a kill between load and commit", "duplicated", "left out by insertId"}
}

// cells are the row's, in the order of header.
func (r row) cells() []string {
	a, k, w := r.alone, r.killed, r.worst
	records := float64(max(a.records, 1))
	cpu := max(a.cpu.Seconds(), 0.01) // the clock's resolution
	return slices.Concat([]string{r.name, fmt.Sprintf("%.0f", records/cpu), fmt.Sprintf("%.1f", 1e6*cpu/records), fmt.Sprintf("%.1f", a.before.Seconds()),
		fmt.Sprint(a.peak >> 20), fmt.Sprintf("%.0f", a.wall.Seconds())}, a.losses(),
		[]string{fmt.Sprint(k.kills), fmt.Sprint(k.peak >> 20)}, k.losses(), []string{fmt.Sprint(k.left)},
		w.losses(), []string{fmt.Sprint(w.left)})
}

// losses are the events missing and the rows too many.
func (o outcome) losses() []string {
	note := ""
	if o.unfinished {
		note = " (unfinished)"
	}
	share := 100 * float64(o.counts.extra) / float64(max(o.records, 1))
	extra := fmt.Sprint(o.counts.extra)
	if o.counts.extra > 0 {
		extra += fmt.Sprintf(" (%.0f%%)", share)
	}
	return []string{fmt.Sprint(o.counts.missing) + note, extra}
}

func writeText(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join(header(), "\t")+"\t")
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r.cells(), "\t")+"\t")
	}
	return t.Flush() // reports the errors of the lines, too
}

func markdown(rows []row) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(header())
	b.WriteString("|---" + strings.Repeat("|--:", len(header())-1) + "|\n")
	for _, r := range rows {
		line(r.cells())
	}
	return b.String()
}
