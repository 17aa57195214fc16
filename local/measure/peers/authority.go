package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// authority is a certificate authority for one run, and the certificate of all Google's hosts that it issued. Its key is
// never written down, so nobody else can use that a JVM trusts it.
type authority struct {
	pem  []byte // of the authority's own certificate
	leaf tls.Certificate
}

func newAuthority() (*authority, error) {
	now := time.Now()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tidemark peers"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "www.googleapis.com"},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		DNSNames: googleHosts(), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, leafKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	return &authority{
		pem:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}),
		leaf: tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey},
	}, nil
}

// storePassword protects nothing: the store holds one public certificate, but keytool wants a password.
const storePassword = "changeit"

// writeTrustStore has keytool make a trust store with the authority alone.
func (a *authority) writeTrustStore(ctx context.Context, dir string) (path string, err error) {
	certificate := filepath.Join(dir, "authority.pem")
	path = filepath.Join(dir, "authority.p12")
	if err := os.WriteFile(certificate, a.pem, 0o600); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, javaTool("keytool"), "-importcert", "-noprompt", "-alias", "peers", "-file", certificate,
		"-storetype", "PKCS12", "-keystore", path, "-storepass", storePassword).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("make a trust store: %w: %s", err, out)
	}
	return path, nil
}

// writeKeyFile makes the key of a service account that does not exist; the token that it is exchanged for is not looked at.
func writeKeyFile(dir, project string) (path string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	encoded, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": project, "private_key_id": "1", "client_id": "1",
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": "peer@" + project + ".iam.gserviceaccount.com",
		"token_uri":    "https://oauth2.googleapis.com/token",
	})
	path = filepath.Join(dir, "key.json")
	return path, errors.Join(err, os.WriteFile(path, encoded, 0o600))
}
