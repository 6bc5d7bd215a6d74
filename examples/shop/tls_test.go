package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// certificate makes a certificate for this machine and returns its files, and who
// trusts it.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	text, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600))
		return path
	}
	parsed, err := x509.ParseCertificate(text)
	require.NoError(t, err)
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", text), write("key.pem", "PRIVATE KEY", secret), roots
}

// All customers share connections of HTTP/2 over TLS, and the process is ended and
// started again under them.
func TestHTTP2OverTLSUnderLoad(t *testing.T) {
	cert, key, roots := certificate(t)
	underLoad(t, func(r *rig) {
		r.args = []string{"-cert", cert, "-key", key}
		r.client.Transport = &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}}
	}, func(r *rig) {
		require.Regexp(t, "^https://", r.url)
		look := r.viewers(4)
		was := r.http2.Load()
		r.recovered()
		within(t, patience, "fewer than 30 answers over HTTP/2", func() bool { return r.http2.Load() >= was+30 })
		look()
		r.end()
		r.start()
	})
}
