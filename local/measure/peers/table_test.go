package main

import (
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMarkdown_HasACellForEveryColumn(t *testing.T) {
	r := row{name: "peer",
		alone:  outcome{records: 1000, cpu: time.Second / 10, before: 2 * time.Second, wall: 10 * time.Second, peak: 256 << 20},
		killed: outcome{records: 1000, peak: 300 << 20, kills: 3, unfinished: true, counts: counts{missing: 4, extra: 500}, left: 7},
		worst:  outcome{records: 1000, kills: 1, counts: counts{extra: 20}},
	}

	lines := strings.Split(strings.TrimSpace(markdown([]row{r})), "\n")

	require.Equal(t, "| peer | 10000 | 100.0 | 2.0 | 256 | 10 | 0 | 0 | 3 | 300 | 4 (unfinished) | 500 (50%) | 7 | 0 | 20 (2%) | 0 |", lines[2])
	require.Equal(t, strings.Count(lines[2], "|"), strings.Count(lines[0], "|"))
	require.Equal(t, strings.Count(lines[2], "|"), strings.Count(lines[1], "|"))
}

func TestParseTaken_ReadsWhatLinuxWrites(t *testing.T) {
	stat := []byte("42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 1 1 1 1")

	got, err := parseTaken(stat, []byte("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\n"))

	require.NoError(t, err)
	require.Equal(t, taken{cpu: 2 * time.Second, peak: 2 << 20}, got)
	_, err = parseTaken([]byte("42 (x) S 1"), nil)
	require.ErrorContains(t, err, "want 13 or more")
}

func TestKiller_KillsWellWithinTheWork(t *testing.T) {
	k := killer{random: rand.New(rand.NewPCG(1, 0)), work: 10 * time.Second}
	for range 1000 {
		d := k.delay(0.5)
		require.GreaterOrEqual(t, d, 500*time.Millisecond)
		require.Less(t, d, 3500*time.Millisecond)
	}
}

func TestOptions_FaultsAreReportedTogether(t *testing.T) {
	_, err := parseOptions([]string{"--records", "1", "--kills", "-1", "rest"}, io.Discard)

	require.ErrorContains(t, err, "--records is 1; want 1000 or more")
	require.ErrorContains(t, err, "--kills is -1; want 0 or more")
	require.ErrorContains(t, err, `found ["rest"] behind the flags`)
}
