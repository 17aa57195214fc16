package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// googleHosts are the hosts that Google's Java clients of the connector have compiled in.
func googleHosts() []string {
	return []string{"www.googleapis.com", "bigquery.googleapis.com", "storage.googleapis.com", "oauth2.googleapis.com", "accounts.google.com"}
}

// google plays Google for a JVM, which is pointed at it by https.proxyHost, https.proxyPort and a trust store: an HTTPS
// proxy that ends TLS itself, with certificates of its own authority, and passes requests on to the embedded BigQuery
// and object store. No other host is reached through it.
type google struct {
	tunnels *tunnels
	proxy   *http.Server // takes CONNECT
	inner   *http.Server // serves what comes out of the tunnels
	addr    string
	tls     *tls.Config
	running sync.WaitGroup
}

// startGoogle serves api, as any of the hosts, until Close.
func startGoogle(ctx context.Context, authority *authority, api http.Handler) (*google, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("play Google: %w", err)
	}
	quiet := log.New(discard{}, "", 0) // a peer that is killed leaves broken connections, which are no news
	g := &google{
		tunnels: &tunnels{opened: make(chan net.Conn), closed: make(chan struct{})}, addr: listener.Addr().String(),
		tls: &tls.Config{Certificates: []tls.Certificate{authority.leaf}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12},
	}
	g.proxy = &http.Server{Handler: http.HandlerFunc(g.connect), ReadHeaderTimeout: time.Minute, ErrorLog: quiet}
	g.inner = &http.Server{Handler: plainBody(api), ReadHeaderTimeout: 5 * time.Minute, ErrorLog: quiet}
	g.running.Go(func() { _ = g.proxy.Serve(listener) }) // ends with Close, and has no other end on loopback
	g.running.Go(func() { _ = g.inner.Serve(g.tunnels) })
	return g, nil
}

// Close cuts all connections.
func (g *google) Close() error {
	err := errors.Join(g.proxy.Close(), g.inner.Close())
	g.running.Wait()
	return err
}

// tunnels is a listener for what comes out of the tunnels, in the clear.
type tunnels struct {
	opened chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case c := <-t.opened:
		return c, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (t *tunnels) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

// Addr implements net.Listener.
func (t *tunnels) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// connect answers CONNECT and hands the tunnel over.
func (g *google) connect(w http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(r.Host, ":")
	if r.Method != http.MethodConnect || !slices.Contains(googleHosts(), host) {
		http.Error(w, fmt.Sprintf("%s %s: only CONNECT to %s is served here", r.Method, r.Host, strings.Join(googleHosts(), ", ")), http.StatusForbidden)
		return
	}
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		http.Error(w, "no tunnel over this connection", http.StatusInternalServerError)
		return
	}
	conn, buffered, err := hijacker.Hijack()
	if err != nil {
		return // the peer is gone
	}
	if _, err := conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		_ = conn.Close() // as above
		return
	}
	tunnel := tls.Server(&readAhead{Conn: conn, r: buffered.Reader}, g.tls)
	select {
	case g.tunnels.opened <- tunnel:
	case <-g.tunnels.closed:
		_ = tunnel.Close() // going away
	}
}

// readAhead is a connection of which the HTTP server may have read a few bytes already.
type readAhead struct {
	net.Conn
	r *bufio.Reader
}

func (c *readAhead) Read(p []byte) (int, error) { return c.r.Read(p) }

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// plainBody undoes what Google's Java client does to requests and the emulators do not know: it compresses bodies, and
// sends PATCH as POST.
func plainBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, err := gzip.NewReader(r.Body)
			if err != nil {
				http.Error(w, "body is not gzip: "+err.Error(), http.StatusBadRequest)
				return
			}
			r.Body = http.MaxBytesReader(w, body, maxRequest)
			r.ContentLength = -1
			r.Header.Del("Content-Encoding")
			r.Header.Del("Content-Length")
		}
		if method := r.Header.Get("X-HTTP-Method-Override"); method != "" {
			r.Method = method
			r.Header.Del("X-HTTP-Method-Override")
		}
		next.ServeHTTP(w, r)
	})
}

// maxRequest is above every request of a peer.
const maxRequest = 256 << 20

// passOn sends requests to an emulator as they are.
func passOn(endpoint string) (http.Handler, error) {
	target, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = target.Host
		},
		ErrorLog: log.New(discard{}, "", 0),
	}, nil
}
