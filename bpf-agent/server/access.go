package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"connectrpc.com/connect"
)

// Access says where the agent listens, and who may ask it.
//
// On a loopback address anyone on the machine may, as long as nothing else is
// configured. On any other address TLS is required, and a bearer token, or
// client certificates, or both. What is configured is required on loopback as
// well. There is no way to have an open port.
type Access struct {
	// Listen is host:port. The host may be a name; it is resolved once.
	Listen string
	// TLSCert and TLSKey are the files with the certificate chain and its key, as PEM.
	TLSCert, TLSKey string
	// TokenFile holds the bearer token; white space around it is not part of it.
	TokenFile string
	// ClientCA is the PEM file with the authorities whose client certificates are accepted.
	ClientCA string
}

// minToken is how many bytes a token must have to be hard to guess.
const minToken = 16

// Listener is an open port and what it demands of who asks.
type Listener struct {
	net.Listener
	// URL is how to reach it.
	URL string
	// loopback says that requests must come for a loopback host: see [Listener.admit].
	loopback bool
	token    *[sha256.Size]byte
}

// Open checks that the access is sound, and listens.
func (a Access) Open(ctx context.Context) (*Listener, error) {
	host, port, err := net.SplitHostPort(a.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen address %q is not host:port: %w", a.Listen, err)
	}
	ip := netip.IPv6Unspecified() // what no host stands for: every address, of IPv4 too
	if host != "" {
		ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return nil, fmt.Errorf("listen address %q: %w", a.Listen, err)
		}
		ip = ips[0]
		host = ip.String()
	}
	loopback := ip.Unmap().IsLoopback()
	if !loopback {
		var missing []string
		if a.TLSCert == "" || a.TLSKey == "" {
			missing = append(missing, "--tls-cert and --tls-key")
		}
		if a.TokenFile == "" && a.ClientCA == "" {
			missing = append(missing, "--token-file or --client-ca")
		}
		if missing != nil {
			return nil, fmt.Errorf("listen address %s is not loopback, so others can reach it: add %s", a.Listen, strings.Join(missing, ", and "))
		}
	}
	l := &Listener{loopback: loopback && a.TokenFile == "" && a.ClientCA == ""}
	if a.TokenFile != "" {
		if l.token, err = readToken(a.TokenFile); err != nil {
			return nil, err
		}
	}
	config, err := a.tlsConfig()
	if err != nil {
		return nil, err
	}
	l.Listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", a.Listen, err)
	}
	l.URL = "http://" + l.Addr().String()
	if config != nil {
		l.URL = "https://" + l.Addr().String()
		l.Listener = tls.NewListener(l.Listener, config)
	}
	return l, nil
}

func readToken(file string) (*[sha256.Size]byte, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("token file: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if len(token) < minToken {
		return nil, fmt.Errorf("token file %s: the token has %d bytes, at least %d", file, len(token), minToken)
	}
	sum := sha256.Sum256([]byte(token))
	return &sum, nil
}

func (a Access) tlsConfig() (*tls.Config, error) {
	switch {
	case a.TLSCert == "" && a.TLSKey == "" && a.ClientCA == "":
		return nil, nil
	case a.TLSCert == "" || a.TLSKey == "":
		return nil, errors.New("--tls-cert, --tls-key and --client-ca need one another: add --tls-cert and --tls-key")
	}
	pair, err := tls.LoadX509KeyPair(a.TLSCert, a.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate %s with key %s: %w", a.TLSCert, a.TLSKey, err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if a.ClientCA != "" {
		content, err := os.ReadFile(a.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("client CA: %w", err)
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("client CA %s holds no PEM certificate", a.ClientCA)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// admit says whether a request may be answered.
//
// Where loopback alone is the lock, the request must also have been made for a
// loopback host: a web page can have its own name resolve to 127.0.0.1 (DNS
// rebinding) and then read what it likes, but the browser still sends that name.
func (l *Listener) admit(r *http.Request) *connect.Error {
	if l.loopback && !isLoopback(r.Host) {
		return connect.NewError(connect.CodePermissionDenied,
			fmt.Errorf("the request is for host %q, which is not loopback: without a token only requests for localhost are answered", r.Host))
	}
	if l.token == nil {
		return nil
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(token))
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(sum[:], l.token[:]) != 1 {
		return connect.NewError(connect.CodeUnauthenticated, errors.New("the Authorization header does not have this agent's bearer token"))
	}
	return nil
}

func isLoopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}
