package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

func TestOptions_DefaultIsEveryVariantAndFaultsAreNamed(t *testing.T) {
	opts, err := parseOptions(nil, io.Discard)
	require.NoError(t, err)
	require.Len(t, opts.variants, 12)

	for args, want := range map[string]string{
		"--only nothing": "matches nothing; want one of 1KB/snappy/1",
		"--only (":       "--only",
		"--records 1":    "--records is 1",
		"--count 0":      "--count is 0",
		"--partitions 0": "--partitions is 0",
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

	require.NoError(t, writeText(&text, []row{r}))
	require.NoError(t, writeMarkdown(&markdown, []row{r}))

	require.Contains(t, markdown.String(), "| 1KB/lz4/1 | 100000 | 200 | 10.00 ±10% | 2.00 | - | 20% | - |")
	require.Equal(t, 2, strings.Count(text.String(), "\n"))
}
