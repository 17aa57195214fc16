package consumer

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Config is how the consumer reads Kafka. Variables carry the prefix TIDEMARK_.
type Config struct {
	// Brokers to ask for the cluster's metadata.
	Brokers []string `envconfig:"BROKERS" required:"true" desc:"Kafka brokers to connect to first, as host:port, separated by commas."`
	// Group is the consumer group. A new name exports everything again.
	Group string `envconfig:"GROUP" default:"tidemark" desc:"Consumer group. All replicas share one name; a new name starts from TIDEMARK_START and exports everything again."`
	// EventsTopic is the topic of the events model.
	EventsTopic string `envconfig:"EVENTS_TOPIC" default:"clickhouse_events_json" desc:"Topic with PostHog's processed events."`
	// PersonsTopic and DistinctIDsTopic are the topics of the persons model.
	PersonsTopic     string `envconfig:"PERSONS_TOPIC" default:"clickhouse_person" desc:"Topic with PostHog's persons, for the persons model."`
	DistinctIDsTopic string `envconfig:"DISTINCT_IDS_TOPIC" default:"clickhouse_person_distinct_id" desc:"Topic with PostHog's mappings of distinct ids to persons, for the persons model."`
	// Period is the length of a flush period.
	Period time.Duration `envconfig:"PERIOD" default:"1h" desc:"Length of a flush period; must divide 24h. Every replica makes one load job per period and table, and BigQuery allows 1,500 per table and day."`
	// PersonsPeriod is the length of a flush period of persons.
	PersonsPeriod time.Duration `envconfig:"PERSONS_PERIOD" desc:"Length of a flush period of persons, whose merges are billed while loads of events are free; must divide 24h. Empty = TIDEMARK_PERIOD."`
	// FlushDelay is how long after its end a period is sealed.
	FlushDelay time.Duration `envconfig:"FLUSH_DELAY" default:"10s" desc:"How long after its end a period is sealed, so that what has come to Kafka before the end is consumed and belongs to it; shorter than a period."`
	// Start is where a group that has never run begins.
	Start string `envconfig:"START" default:"earliest" desc:"Where a group that has never run begins: earliest, latest, or an RFC 3339 instant. Resolved once per group."`
	// RebalanceTimeout bounds the upload in a hand-over.
	RebalanceTimeout time.Duration `envconfig:"REBALANCE_TIMEOUT" default:"2m" desc:"How long a hand-over to another replica may take: the time to upload what is in memory."`
	// SessionTimeout is how long the group waits for a silent member.
	SessionTimeout time.Duration `envconfig:"SESSION_TIMEOUT" default:"45s" desc:"How long the group waits for a silent replica before it gives the partitions to others."`
	// ShutdownTimeout bounds the hand-over at SIGTERM.
	ShutdownTimeout time.Duration `envconfig:"SHUTDOWN_TIMEOUT" default:"60s" desc:"How long SIGTERM may take: the time to upload and prepare what is in memory. Leaving the group takes up to 5 seconds more; the orchestrator's own limit must be above both (Kubernetes' default is 30 seconds)."`
	// InstanceID makes the replica a static member of the group.
	InstanceID string `envconfig:"INSTANCE_ID" desc:"Static member name of this replica (for example the pod name of a StatefulSet); empty = dynamic membership."`

	TLS           bool   `envconfig:"TLS" default:"false" desc:"Speak TLS to the brokers."`
	TLSCAFile     string `envconfig:"TLS_CA_FILE" desc:"PEM file of the certificate authorities to trust; empty = the system's."`
	TLSCertFile   string `envconfig:"TLS_CERT_FILE" desc:"PEM file of the client certificate, for mutual TLS."`
	TLSKeyFile    string `envconfig:"TLS_KEY_FILE" desc:"PEM file of the client certificate's key."`
	TLSServerName string `envconfig:"TLS_SERVER_NAME" desc:"Name to expect in the brokers' certificates; empty = the host dialled."`

	SASLMechanism    string `envconfig:"SASL_MECHANISM" desc:"PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty = no authentication."`
	SASLUsername     string `envconfig:"SASL_USERNAME" desc:"User name for SASL."`
	SASLPassword     string `envconfig:"SASL_PASSWORD" desc:"Password for SASL. Prefer TIDEMARK_SASL_PASSWORD_FILE."`
	SASLPasswordFile string `envconfig:"SASL_PASSWORD_FILE" desc:"File that holds the password for SASL; a trailing newline is ignored."`
}

const (
	day           = 24 * time.Hour
	minQuotaSafe  = time.Minute // below it a day has more periods than load jobs
	minimalPeriod = time.Second
)

// Validate reports every fault of the configuration, each with the variable, the value and what is allowed.
func (c *Config) Validate() error {
	var errs []error
	fault := func(name string, value any, want string) {
		errs = append(errs, fmt.Errorf("TIDEMARK_%s is %v; want %s", name, value, want))
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			fault("BROKERS", fmt.Sprintf("%q", b), "host:port")
		}
	}
	if len(c.Brokers) == 0 {
		fault("BROKERS", "empty", "at least one host:port")
	}
	if c.Group == "" {
		fault("GROUP", "empty", "a consumer group name")
	}
	errs = append(errs, c.validateTopics())
	if !isPeriod(c.Period) {
		fault("PERIOD", c.Period, "a divisor of 24h from 1s to 24h")
	}
	if p := c.PersonsPeriod; p != 0 && !isPeriod(p) {
		fault("PERSONS_PERIOD", p, "a divisor of 24h from 1s to 24h")
	}
	if shortest := min(c.Period, c.PeriodOfPersons()); c.FlushDelay < 0 || c.FlushDelay >= shortest {
		fault("FLUSH_DELAY", c.FlushDelay, fmt.Sprintf("0s or more and less than the shortest period (%s)", shortest))
	}
	if _, err := c.start(); err != nil {
		errs = append(errs, err)
	}
	if c.RebalanceTimeout < time.Second || c.RebalanceTimeout > time.Hour {
		fault("REBALANCE_TIMEOUT", c.RebalanceTimeout, "1s to 1h")
	}
	if c.SessionTimeout < time.Second || c.SessionTimeout > 30*time.Minute {
		fault("SESSION_TIMEOUT", c.SessionTimeout, "1s to 30m")
	}
	if c.ShutdownTimeout < time.Second {
		fault("SHUTDOWN_TIMEOUT", c.ShutdownTimeout, "1s or more")
	}
	return errors.Join(append(errs, c.validateSecurity()...)...)
}

func (c *Config) validateTopics() error {
	var errs []error
	names := make(map[string]string)
	for _, t := range []struct{ variable, name string }{
		{"EVENTS_TOPIC", c.EventsTopic}, {"PERSONS_TOPIC", c.PersonsTopic}, {"DISTINCT_IDS_TOPIC", c.DistinctIDsTopic},
	} {
		if t.name == "" {
			errs = append(errs, fmt.Errorf("TIDEMARK_%s is empty; want a topic name", t.variable))
		} else if other := names[t.name]; other != "" {
			errs = append(errs, fmt.Errorf("TIDEMARK_%s and TIDEMARK_%s are both %q; want different topics", other, t.variable, t.name))
		}
		names[t.name] = t.variable
	}
	return errors.Join(errs...)
}

func (c *Config) validateSecurity() (errs []error) {
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		errs = append(errs, fmt.Errorf("TIDEMARK_TLS_CERT_FILE is %q and TIDEMARK_TLS_KEY_FILE is %q; want both or neither", c.TLSCertFile, c.TLSKeyFile))
	}
	if !c.TLS && c.TLSCAFile+c.TLSCertFile+c.TLSServerName != "" {
		errs = append(errs, errors.New("TIDEMARK_TLS is false and a TIDEMARK_TLS_… variable is set; want TIDEMARK_TLS=true"))
	}
	if c.TLS {
		if _, err := c.tlsConfig(); err != nil {
			errs = append(errs, err)
		}
	}
	return append(errs, c.validateSASL()...)
}

// validateSASL wants all that a mechanism needs, and nothing without one: a name or a password alone would be ignored, and the
// brokers be spoken to without authentication.
func (c *Config) validateSASL() (errs []error) {
	switch strings.ToUpper(c.SASLMechanism) {
	case "":
		if c.SASLUsername+c.SASLPassword+c.SASLPasswordFile != "" {
			errs = append(errs, errors.New("TIDEMARK_SASL_MECHANISM is empty and another TIDEMARK_SASL_… variable is set; want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"))
		}
		return errs
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
	default:
		errs = append(errs, fmt.Errorf("TIDEMARK_SASL_MECHANISM is %q; want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", c.SASLMechanism))
	}
	if c.SASLUsername == "" {
		errs = append(errs, errors.New("TIDEMARK_SASL_USERNAME is empty; want a name, as TIDEMARK_SASL_MECHANISM is set"))
	}
	if (c.SASLPassword == "") == (c.SASLPasswordFile == "") {
		errs = append(errs, errors.New("want exactly one of TIDEMARK_SASL_PASSWORD and TIDEMARK_SASL_PASSWORD_FILE, as TIDEMARK_SASL_MECHANISM is set"))
		return errs
	}
	if _, err := c.password(); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// isPeriod says whether days can be divided into such periods.
func isPeriod(p time.Duration) bool { return p >= minimalPeriod && p <= day && day%p == 0 }

// PeriodOfPersons is the length of a flush period of persons.
func (c *Config) PeriodOfPersons() time.Duration {
	if c.PersonsPeriod != 0 {
		return c.PersonsPeriod
	}
	return c.Period
}

// Warnings lists what is allowed but will not go well for long.
func (c *Config) Warnings() (list []string) {
	if shortest := min(c.Period, c.PeriodOfPersons()); shortest < minQuotaSafe {
		list = append(list, fmt.Sprintf("the shortest period is %s (TIDEMARK_PERIOD, TIDEMARK_PERSONS_PERIOD): BigQuery allows 1,500 load jobs per table and day, so periods below 1m cannot last the day; tidemark will lengthen them", shortest))
	}
	return list
}

// start reads Start: -2 for earliest, -1 for latest, as Kafka encodes them, or Unix milliseconds.
func (c *Config) start() (int64, error) {
	switch c.Start {
	case "earliest":
		return startEarliest, nil
	case "latest":
		return startLatest, nil
	}
	t, err := time.Parse(time.RFC3339, c.Start)
	if err != nil || t.UnixMilli() < 0 {
		return 0, fmt.Errorf("TIDEMARK_START is %q; want earliest, latest or an RFC 3339 instant like 2026-09-01T00:00:00Z", c.Start)
	}
	if now := time.Now(); t.After(now) {
		return 0, fmt.Errorf("TIDEMARK_START is %q, which is to come; want an instant until now (%s), or latest", c.Start, now.UTC().Format(time.RFC3339))
	}
	return t.UnixMilli(), nil
}

const (
	startLatest   int64 = -1
	startEarliest int64 = -2
)
