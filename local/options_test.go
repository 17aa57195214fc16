package main

import (
	"bytes"
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseOptions_TheReadmesCommands(t *testing.T) {
	var out bytes.Buffer
	o, err := parseOptions(nil, &out)
	require.NoError(t, err)
	require.Equal(t, float64(demoRate), o.rate, "an endless demo is paced")
	require.NotZero(t, o.seed)
	o, err = parseOptions([]string{"--records", "200000", "--teams", "50", "--period", "3s", "--replicas", "3", "--chaos", "--verify"}, &out)
	require.NoError(t, err)
	require.InDelta(t, 200000/(5*3.0), o.rate, 1, "over five periods")
	require.Empty(t, out.String())
	o, err = parseOptions([]string{"--records", "1000000", "--verify"}, &out)
	require.NoError(t, err)
	require.Zero(t, o.rate, "as fast as possible")
	require.Empty(t, out.String())
}

func TestParseOptions_SaysWhatIsAllowed(t *testing.T) {
	for want, args := range map[string][]string{
		"--period is 7s; want a divisor of 24h":   {"--period", "7s"},
		"--replicas is 0; want 1 to 20":           {"--replicas", "0"},
		`found ["x"] behind the flags`:            {"x"},
		"flag provided but not defined: -replica": {"--replica", "2"},
	} {
		var out bytes.Buffer
		_, err := parseOptions(args, &out)
		require.Error(t, err)
		require.Contains(t, out.String(), want)
	}
}

func TestParseOptions_HelpListsEveryFlag(t *testing.T) {
	var out bytes.Buffer
	_, err := parseOptions([]string{"--help"}, &out)
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, name := range []string{"records", "rate", "teams", "partitions", "period", "replicas", "seed", "json-columns", "verify", "chaos", "data"} {
		require.Contains(t, out.String(), "-"+name)
	}
}
