package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"
)

// TestMain runs the tests, or plays the role that a test started this program for.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && isRole(os.Args[1]) {
		os.Exit(playRole(os.Args[1]))
	}
	os.Exit(m.Run())
}

func TestMeasure_ReadsEveryRecordThreeTimes(t *testing.T) {
	opts, err := parseOptions([]string{"--only", "^1KB/lz4/100$", "--records", "3000", "--profile", t.TempDir()}, io.Discard)
	require.NoError(t, err)
	require.Len(t, opts.variants, 1)

	r, err := measure(t.Context(), opts, opts.variants[0])

	require.NoError(t, err) // manifests hold all records
	for name, m := range map[string][]measurement{"A": r.a, "B": r.b, "tidemark": r.tidemark} {
		require.Len(t, m, 1, name)
		require.EqualValues(t, 3000, m[0].Records, name)
		require.Positive(t, m[0].CPU, name)
		require.Equal(t, r.a[0].ValueBytes, m[0].ValueBytes, name)
	}
	require.Positive(t, r.objects.parts)
	profile, err := os.Stat(filepath.Join(opts.profile, "1KB-lz4-100.cpu.pprof"))
	require.NoError(t, err)
	require.Positive(t, profile.Size())
}

func TestFlames_AddUpWhatIsCalledFromTheSamePlace(t *testing.T) {
	functions := map[string]*profile.Location{}
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}}
	sample := func(nanos int64, stack ...string) { // callers first
		s := &profile.Sample{Value: []int64{1, nanos}}
		for _, name := range slices.Backward(stack) {
			if functions[name] == nil {
				id := uint64(len(functions) + 1)
				f := &profile.Function{ID: id, Name: name}
				functions[name] = &profile.Location{ID: id, Line: []profile.Line{{Function: f}}}
				p.Function, p.Location = append(p.Function, f), append(p.Location, functions[name])
			}
			s.Location = append(s.Location, functions[name])
		}
		p.Sample = append(p.Sample, s)
	}
	sample(30, "runtime.goexit", "tidemark/model.(*Decoder).Decode", "runtime.memmove", "runtime.asyncPreempt")
	sample(10, "runtime.goexit", "tidemark/model.(*Decoder).Decode", "tidemark/model.<lambda>")
	sample(60, "runtime.goexit", "tidemark/loader.encode", "github.com/klauspost/compress/zstd.(*Encoder).EncodeAll")
	var file, svg bytes.Buffer
	require.NoError(t, p.Write(&file))

	root, err := readFlames(&file)
	require.NoError(t, err)
	require.NoError(t, root.write(&svg, "title", "sub"))

	requireXML(t, svg.Bytes())
	for _, want := range []string{"<title>all: 100.0 %", "<title>tidemark/model.(*Decoder).Decode: 40.0 %", "<title>runtime.memmove: 30.0 %",
		"<title>tidemark/loader.encode: 60.0 %", ">model.Decoder.Decode<", ">60 %  compressing pages (zstd)<", ">40 %  decoding messages, filling columns<"} {
		require.Contains(t, svg.String(), want)
	}
	require.NotContains(t, svg.String(), "asyncPreempt")
}

func TestBoundary_EveryVolumeIsAPoint(t *testing.T) {
	dir := t.TempDir()
	opts, err := parseOptions([]string{"--boundary", filepath.Join(dir, "b.svg"), "--markdown", filepath.Join(dir, "b.md"), "--period", "3s", "--volumes", "400,800"}, io.Discard)
	require.NoError(t, err)
	require.NoError(t, run(t.Context(), opts))

	svg, err := os.ReadFile(opts.boundary)
	require.NoError(t, err)
	requireXML(t, svg)
	require.GreaterOrEqual(t, strings.Count(string(svg), "<circle"), 2, "more on a slow machine: a volume in two periods")
	markdown, err := os.ReadFile(opts.markdown)
	require.NoError(t, err)
	require.Contains(t, string(markdown), "| seal to load job |")
}

func TestIdle_IsMeasured(t *testing.T) {
	opts, err := parseOptions([]string{"--idle", "200ms"}, io.Discard)
	require.NoError(t, err)
	require.NoError(t, run(t.Context(), opts))
}

func requireXML(t *testing.T, text []byte) {
	for decoder := xml.NewDecoder(bytes.NewReader(text)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else {
			require.NoError(t, err)
		}
	}
}

func TestCores_ShowWhatACoreDoes(t *testing.T) {
	m := measurement{Records: 1000, ValueBytes: 2_000_000, Wall: 10 * time.Millisecond, CPU: 15 * time.Millisecond, PeakBytes: 3 << 20}
	require.Equal(t, []string{"2", "100000", "200", "15.00", "66667", "1.50", "3"}, coresCells(2, []measurement{m}))
}

func TestPlot_StepsAreOneTwoOrFive(t *testing.T) {
	for largest, want := range map[float64]float64{1: 0.2, 400: 100, 8: 2, 0.7: 0.1, 1000: 200, 2000: 500} {
		require.InDelta(t, want, step(largest), 1e-9, "%g", largest)
	}
}

func TestOptions_DefaultIsEveryVariantAndFaultsAreNamed(t *testing.T) {
	opts, err := parseOptions(nil, io.Discard)
	require.NoError(t, err)
	require.Len(t, opts.variants, 14)

	for args, want := range map[string]string{
		"--only nothing": "matches nothing; want one of 1KB/snappy/1",
		"--only (":       "--only",
		"--records 1":    "--records is 1",
		"--count 0":      "--count is 0",
		"--partitions 0": "--partitions is 0",
		"--period 7m":    "--period is 7m0s; want a divisor of 24h",
		"--volumes 1,,2": `--volumes has ""`,
		"more":           "want flags only",
	} {
		_, err := parseOptions(strings.Fields(args), io.Discard)
		require.ErrorContains(t, err, want, args)
	}
}

func TestTable_ShowsTheMedianAndRatiosOfCPUTime(t *testing.T) {
	of := func(cpu time.Duration) measurement {
		return measurement{Records: 1000, ValueBytes: 2_000_000, Wall: time.Second / 100, CPU: cpu}
	}
	r := row{variant: variant{"1KB", "lz4", 1}, a: []measurement{of(2 * time.Millisecond)},
		tidemark: []measurement{of(11 * time.Millisecond), of(9 * time.Millisecond), of(10 * time.Millisecond)}}
	var text, markdown strings.Builder

	require.NoError(t, tableOf([]row{r}).text(&text))
	require.NoError(t, tableOf([]row{r}).markdown(&markdown))

	require.Contains(t, markdown.String(), "| 1KB/lz4/1 | 100000 | 200 | 10.00 ±10% | 2.00 | - | 20% | - |")
	require.Equal(t, 2, strings.Count(text.String(), "\n"))
}
