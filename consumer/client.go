package consumer

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"github.com/twmb/franz-go/plugin/kslog"
)

// ConnectionOptions are the options that any client of these brokers needs: addresses, TLS, SASL.
func (c *Config) ConnectionOptions(log *slog.Logger) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID("tidemark"),
		kgo.WithLogger(kslog.New(quiet(log))),
	}
	if c.TLS {
		conf, err := c.tlsConfig()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(conf))
	}
	if c.SASLMechanism != "" {
		mechanism, err := c.sasl()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

// groupOptions make the client a member of the group. Everything that could move an offset by itself is off:
// auto-commit, and the reset that would silently re-read or skip when an offset is out of range.
func (s *Session) groupOptions() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(s.cfg.Group),
		kgo.ConsumeTopics(s.scope.topics()...),
		kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // a transaction's marker has an offset, too
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.RebalanceTimeout(s.cfg.RebalanceTimeout),
		kgo.SessionTimeout(s.cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(3*time.Second, s.cfg.SessionTimeout/3)),
		kgo.BlockRebalanceOnPoll(),
		kgo.WithDecompressor(newDecompressor()),
		kgo.MetadataMaxAge(time.Minute), // how soon partitions added to a topic are noticed
		kgo.OnPartitionsAssigned(s.onAssigned),
		kgo.AdjustFetchOffsetsFn(s.adjustOffsets),
		kgo.OnPartitionsRevoked(s.onRevoked),
		kgo.OnPartitionsLost(s.onLost),
	}
	if s.cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(s.cfg.InstanceID))
	}
	return append(opts, fetchOptions(s.scope.Memory)...)
}

func (c *Config) tlsConfig() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLSServerName}
	if c.TLSCAFile != "" {
		pem, err := os.ReadFile(c.TLSCAFile)
		if err != nil {
			return nil, fmt.Errorf("TIDEMARK_TLS_CA_FILE is %q; want a PEM file that can be read: %w", c.TLSCAFile, err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("TIDEMARK_TLS_CA_FILE is %q, which holds no PEM certificate; want one that does", c.TLSCAFile)
		}
	}
	if c.TLSCertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile)
		if err != nil {
			return nil, fmt.Errorf("TIDEMARK_TLS_CERT_FILE is %q and TIDEMARK_TLS_KEY_FILE is %q; want a PEM certificate and its key: %w", c.TLSCertFile, c.TLSKeyFile, err)
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf, nil
}

func (c *Config) sasl() (sasl.Mechanism, error) {
	password, err := c.password()
	if err != nil {
		return nil, err
	}
	switch strings.ToUpper(c.SASLMechanism) {
	case "PLAIN":
		return plain.Auth{User: c.SASLUsername, Pass: password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: c.SASLUsername, Pass: password}.AsSha256Mechanism(), nil
	default: // Validate has seen to the rest
		return scram.Auth{User: c.SASLUsername, Pass: password}.AsSha512Mechanism(), nil
	}
}

// password is the one that is configured, or in the file that is.
func (c *Config) password() (string, error) {
	if c.SASLPasswordFile == "" {
		return c.SASLPassword, nil
	}
	b, err := os.ReadFile(c.SASLPasswordFile)
	if err != nil {
		return "", fmt.Errorf("TIDEMARK_SASL_PASSWORD_FILE is %q; want a file that can be read: %w", c.SASLPasswordFile, err)
	}
	password := strings.TrimRight(string(b), "\r\n")
	if password == "" {
		return "", fmt.Errorf("TIDEMARK_SASL_PASSWORD_FILE is %q, which is empty; want a file with a password", c.SASLPasswordFile)
	}
	return password, nil
}

// quiet lets the Kafka client's own log through from warnings on: its info lines repeat what our callbacks say.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(&levelHandler{Handler: log.Handler(), min: slog.LevelWarn})
}
