package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark/consumer"
)

// certificate makes one for 127.0.0.1 that is its own authority, and a PEM file of it.
func certificate(t *testing.T) (tls.Certificate, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// The variables for TLS and SASL reach a broker that wants both, and one that is not given them is not reached.
func TestConsumer_SpeaksTLSAndSASL(t *testing.T) {
	cert, ca := certificate(t)
	for mechanism, fake := range map[string]string{"PLAIN": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "SCRAM-SHA-512": "SCRAM-SHA-512"} {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}),
			kfake.EnableSASL(), kfake.Superuser(fake, "tidemark", "secret"), kfake.SeedTopics(1, "events"))
		require.NoError(t, err)
		defer cluster.Close()
		secret := filepath.Join(t.TempDir(), "password")
		require.NoError(t, os.WriteFile(secret, []byte("secret\n"), 0o600))
		cfg := consumer.Config{Brokers: cluster.ListenAddrs(), TLS: true, TLSCAFile: ca, SASLMechanism: mechanism, SASLUsername: "tidemark", SASLPasswordFile: secret}
		require.NoError(t, list(t, cfg), mechanism)

		cfg.SASLPasswordFile, cfg.SASLPassword = "", "wrong"
		require.Error(t, list(t, cfg), mechanism)
		cfg.SASLPassword, cfg.TLSCAFile = "secret", ""
		require.Error(t, list(t, cfg), "an unknown authority")
	}
}

func list(t *testing.T, cfg consumer.Config) error {
	opts, err := cfg.ConnectionOptions(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	client, err := kgo.NewClient(append(opts, kgo.RequestRetries(0), kgo.RetryTimeout(time.Second))...)
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err = kadm.NewClient(client).ListTopics(ctx, "events")
	return err
}
