package consumer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func valid() Config {
	return Config{Brokers: []string{"kafka:9092"}, Group: "g", EventsTopic: "t", PersonsTopic: "p", DistinctIDsTopic: "d", Period: time.Hour, FlushDelay: 10 * time.Second,
		Start: "earliest", RebalanceTimeout: 2 * time.Minute, SessionTimeout: 45 * time.Second, ShutdownTimeout: time.Minute}
}

func TestConfig_AcceptsTheDefaults(t *testing.T) {
	c := valid()
	require.NoError(t, c.Validate())
	require.Empty(t, c.Warnings())
}

func TestConfig_NamesEveryFault(t *testing.T) {
	for want, breakIt := range map[string]func(*Config){
		`TIDEMARK_BROKERS is "kafka"; want host:port`:                   func(c *Config) { c.Brokers = []string{"kafka"} },
		"TIDEMARK_PERIOD is 7m0s; want a divisor of 24h from 1s to 24h": func(c *Config) { c.Period = 7 * time.Minute },
		"TIDEMARK_FLUSH_DELAY is 2h0m0s":                                func(c *Config) { c.FlushDelay = 2 * time.Hour },
		`TIDEMARK_START is "yesterday"; want earliest, latest`:          func(c *Config) { c.Start = "yesterday" },
		"TIDEMARK_TLS is false":                                         func(c *Config) { c.TLSCAFile = "ca.pem" },
		`TIDEMARK_SASL_MECHANISM is "GSSAPI"`:                           func(c *Config) { c.SASLMechanism = "GSSAPI" },
		"want exactly one of TIDEMARK_SASL_PASSWORD":                    func(c *Config) { c.SASLMechanism, c.SASLUsername = "PLAIN", "u" },
	} {
		c := valid()
		breakIt(&c)
		require.ErrorContains(t, c.Validate(), want)
	}
	c := valid()
	c.Period, c.Start = 7*time.Minute, "yesterday"
	err := c.Validate()
	require.ErrorContains(t, err, "PERIOD")
	require.ErrorContains(t, err, "START", "all faults together")
}

func TestConfig_WarnsOfPeriodsThatOutrunTheQuota(t *testing.T) {
	c := valid()
	c.Period = 10 * time.Second
	require.Len(t, c.Warnings(), 1)
	require.Contains(t, c.Warnings()[0], "1,500 load jobs")
}

func TestConfig_StartIsAnInstant(t *testing.T) {
	c := valid()
	c.Start = "2026-09-01T00:00:00Z"
	at, err := c.start()
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC).UnixMilli(), at)
}
