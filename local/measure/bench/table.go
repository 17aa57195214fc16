package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is a variant's measurements.
type row struct {
	variant        variant
	tidemark, a, b []measurement
	objects        objects // of the last run
}

// median returns the measurement with the median CPU time, that of the lower half of an even number.
func median(all []measurement) measurement {
	if len(all) == 0 {
		return measurement{}
	}
	sorted := slices.SortedFunc(slices.Values(all), func(x, y measurement) int { return int(x.CPU - y.CPU) })
	return sorted[(len(sorted)-1)/2]
}

// spread says how far the CPU times are from the median, at most, in per cent.
func spread(all []measurement) string {
	if len(all) < 2 {
		return ""
	}
	m, worst := median(all), 0.0
	for _, one := range all {
		worst = max(worst, 100*max(float64(one.CPU-m.CPU), float64(m.CPU-one.CPU))/float64(m.CPU))
	}
	return fmt.Sprintf(" ±%.0f%%", worst)
}

func header() []string {
	return []string{"event/codec/teams", "records/s", "MB/s", "CPU µs/rec", "A", "B", "A/tidemark", "B/tidemark", "allocs/rec",
		"KB alloc/rec", "peak RSS MiB", "parts", "MB written"}
}

// cells are the row's, in the order of header. MB are those of Kafka values, or of Parquet.
func (r row) cells() []string {
	t, a, b := median(r.tidemark), median(r.a), median(r.b)
	ceiling := func(m measurement) (micros, ratio string) {
		if m.Records == 0 {
			return "-", "-"
		}
		return fmt.Sprintf("%.2f", m.cpuMicros()), fmt.Sprintf("%.0f%%", 100*m.cpuMicros()/t.cpuMicros())
	}
	aMicros, aRatio := ceiling(a)
	bMicros, bRatio := ceiling(b)
	return []string{
		r.variant.String(),
		fmt.Sprintf("%.0f", t.rate()),
		fmt.Sprintf("%.0f", t.rate()*t.perRecord(float64(t.ValueBytes))/1e6),
		fmt.Sprintf("%.2f%s", t.cpuMicros(), spread(r.tidemark)),
		aMicros, bMicros, aRatio, bRatio,
		fmt.Sprintf("%.2f", t.perRecord(float64(t.Allocs))),
		fmt.Sprintf("%.2f", t.perRecord(float64(t.AllocBytes))/1e3),
		fmt.Sprintf("%d", t.PeakBytes>>20),
		fmt.Sprintf("%d", r.objects.parts),
		fmt.Sprintf("%.1f", float64(r.objects.bytes)/1e6),
	}
}

// line is progress for whoever waits.
func (r row) line() string {
	c := r.cells()
	return fmt.Sprintf("%-18s %7s rec/s %5s MB/s %6s µs/rec  A %s  B %s", c[0], c[1], c[2], c[3], c[4], c[5])
}

// table is what a measurement prints.
type table struct {
	header []string
	rows   [][]string
}

func tableOf(rows []row) table {
	t := table{header: header()}
	for _, r := range rows {
		t.rows = append(t.rows, r.cells())
	}
	return t
}

func (t table) text(w io.Writer) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, cells := range append([][]string{t.header}, t.rows...) {
		fmt.Fprintln(tab, strings.Join(cells, "\t")+"\t")
	}
	return tab.Flush() // reports the errors of the lines, too
}

func (t table) markdown(w io.Writer) error {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.header)
	b.WriteString("|---" + strings.Repeat("|--:", len(t.header)-1) + "|\n")
	for _, cells := range t.rows {
		line(cells)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// print writes the table to standard output, and as markdown to the file that was asked for.
func (t table) print(opts options) (err error) {
	if err := t.text(os.Stdout); err != nil || opts.markdown == "" {
		return err
	}
	return writeFile(opts.markdown, t.markdown)
}

// writeFile creates the file with what write writes.
func writeFile(name string, write func(io.Writer) error) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f)
}
