package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
)

const token = "correct horse battery staple"

// authority signs certificates for a test.
type authority struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t, dir: t.TempDir(), key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) write(name, kind string, der []byte) string {
	file := filepath.Join(a.dir, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return file
}

func (a *authority) file() string { return filepath.Join(a.dir, "ca.pem") }

// issue returns the files of a certificate for 127.0.0.1 and its key.
func (a *authority) issue(name string) (cert, key string) {
	k := newKey(a.t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &k.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(name+".pem", "CERTIFICATE", der), a.write(name+".key", "PRIVATE KEY", pkcs8)
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func tokenFile(t *testing.T, content string) string {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestNoSetOfOptionsOpensAPortToAll(t *testing.T) {
	ca := newAuthority(t, "ours")
	cert, key := ca.issue("agent")
	good := tokenFile(t, token+"\n")
	for _, c := range []struct {
		name string
		Access
		want string // "" when it opens
	}{
		{"every address, nothing else", Access{Listen: "0.0.0.0:0"}, "not loopback, so others can reach it: add --tls-cert and --tls-key, and --token-file or --client-ca"},
		{"every address of IPv6", Access{Listen: "[::]:0"}, "add --tls-cert and --tls-key, and --token-file or --client-ca"},
		{"no host is every address", Access{Listen: ":0"}, "add --tls-cert and --tls-key, and --token-file or --client-ca"},
		{"an address that only looks like loopback", Access{Listen: "128.0.0.1:0"}, "add --tls-cert"},
		{"a token without TLS", Access{Listen: "0.0.0.0:0", TokenFile: good}, "add --tls-cert and --tls-key"},
		{"half of TLS", Access{Listen: "0.0.0.0:0", TLSCert: cert, TokenFile: good}, "add --tls-cert and --tls-key"},
		{"TLS alone", Access{Listen: "0.0.0.0:0", TLSCert: cert, TLSKey: key}, "add --token-file or --client-ca"},
		{"a token that is easy to guess", Access{Listen: "0.0.0.0:0", TLSCert: cert, TLSKey: key, TokenFile: tokenFile(t, " secret\n")}, "the token has 6 bytes, at least 16"},
		{"an empty token", Access{Listen: "127.0.0.1:0", TokenFile: tokenFile(t, "\n")}, "the token has 0 bytes, at least 16"},
		{"a token file that is not there", Access{Listen: "127.0.0.1:0", TokenFile: "/nowhere/token"}, "token file: open /nowhere/token"},
		{"a key that is no key", Access{Listen: "127.0.0.1:0", TLSCert: cert, TLSKey: good}, "TLS certificate " + cert},
		{"an authority that is none", Access{Listen: "127.0.0.1:0", TLSCert: cert, TLSKey: key, ClientCA: good}, "holds no PEM certificate"},
		{"client certificates without TLS", Access{Listen: "127.0.0.1:0", ClientCA: ca.file()}, "add --tls-cert and --tls-key"},
		{"no port", Access{Listen: "localhost"}, `listen address "localhost" is not host:port`},
		{"no host of that name", Access{Listen: "no.such.host.invalid:0"}, `listen address "no.such.host.invalid:0"`},

		{"loopback", Access{Listen: "127.0.0.1:0"}, ""},
		{"loopback by name", Access{Listen: "localhost:0"}, ""},
		{"every address, TLS and a token", Access{Listen: "0.0.0.0:0", TLSCert: cert, TLSKey: key, TokenFile: good}, ""},
		{"every address, TLS and client certificates", Access{Listen: "0.0.0.0:0", TLSCert: cert, TLSKey: key, ClientCA: ca.file()}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := c.Open(t.Context())
			if err == nil {
				l.Close()
			}
			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v, want an open port", err)
			case c.want != "" && err == nil:
				t.Errorf("opens, want %q", c.want)
			case c.want != "" && !strings.Contains(err.Error(), c.want):
				t.Errorf("got %q, want %q", err, c.want)
			}
		})
	}
}

func TestWhoMayAsk(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	cert, key := ours.issue("agent")
	pair := func(a *authority) []tls.Certificate {
		p, err := tls.LoadX509KeyPair(a.issue("client"))
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{p}
	}
	withToken := Access{Listen: "127.0.0.1:0", TLSCert: cert, TLSKey: key, TokenFile: tokenFile(t, token)}
	withClients := Access{Listen: "127.0.0.1:0", TLSCert: cert, TLSKey: key, ClientCA: ours.file()}
	withBoth := withToken
	withBoth.ClientCA = ours.file()
	onLoopback := Access{Listen: "127.0.0.1:0", TokenFile: tokenFile(t, token)}

	const refused = 0 // by TLS, before there is a status
	for _, c := range []struct {
		name          string
		access        Access
		certificates  []tls.Certificate
		authorization string
		want          int
		healthz       int
	}{
		{"the token", withToken, nil, "Bearer " + token, 200, 200},
		{"the token, the scheme in small letters", withToken, nil, "bearer " + token, 200, 200},
		{"no token", withToken, nil, "", 401, 200},
		{"another token", withToken, nil, "Bearer correct horse battery stable", 401, 200},
		{"a part of the token", withToken, nil, "Bearer " + token[:16], 401, 200},
		{"the token as a password", withToken, nil, "Basic " + token, 401, 200},
		{"our client", withClients, pair(ours), "", 200, 200},
		{"their client", withClients, pair(theirs), "", refused, refused},
		{"no client certificate", withClients, nil, "Bearer " + token, refused, refused},
		{"our client with the token", withBoth, pair(ours), "Bearer " + token, 200, 200},
		{"our client without the token", withBoth, pair(ours), "", 401, 200},
		{"the token without a certificate", withBoth, nil, "Bearer " + token, refused, refused},
		{"loopback with the token", onLoopback, nil, "Bearer " + token, 200, 200},
		{"loopback without the token", onLoopback, nil, "", 401, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := serve(t, newServer(t), c.access)
			client := &http.Client{Transport: &http.Transport{
				TLSClientConfig:   &tls.Config{RootCAs: ours.pool(), Certificates: c.certificates},
				ForceAttemptHTTP2: true,
			}}
			defer client.CloseIdleConnections()
			for path, want := range map[string]int{
				gothermpbconnect.AgentServiceGetAgentProcedure: c.want,
				"/metrics": c.want,
				"/healthz": c.healthz,
			} {
				method := "GET"
				if strings.HasPrefix(path, "/gotherm") {
					method = "POST"
				}
				request, err := http.NewRequestWithContext(t.Context(), method, l.URL+path, strings.NewReader("{}"))
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("Content-Type", "application/json")
				if c.authorization != "" {
					request.Header.Set("Authorization", c.authorization)
				}
				got := refused
				if response, err := client.Do(request); err == nil {
					got = response.StatusCode
					content, _ := io.ReadAll(response.Body)
					response.Body.Close()
					if got == 401 && (response.Header.Get("WWW-Authenticate") != "Bearer" || strings.Contains(string(content), "correct")) {
						t.Errorf("%s: challenge %q, body %q", path, response.Header.Get("WWW-Authenticate"), content)
					}
					if wantProto := 2; l.URL[:5] == "https" && response.ProtoMajor != wantProto {
						t.Errorf("%s: over HTTP/%d, want HTTP/%d", path, response.ProtoMajor, wantProto)
					}
				}
				if got != want {
					t.Errorf("%s: got %d, want %d", path, got, want)
				}
			}
		})
	}
}

func TestGRPCWithoutTheTokenIsToldSoInItsOwnWords(t *testing.T) {
	ours := newAuthority(t, "ours")
	cert, key := ours.issue("agent")
	l := serve(t, newServer(t), Access{Listen: "127.0.0.1:0", TLSCert: cert, TLSKey: key, TokenFile: tokenFile(t, token)})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ours.pool()}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	agent := gothermpbconnect.NewAgentServiceClient(client, l.URL, connect.WithGRPC())
	_, err := agent.GetAgent(t.Context(), connect.NewRequest(&gothermpb.GetAgentRequest{}))
	if connect.CodeOf(err) != connect.CodeUnauthenticated || !strings.Contains(err.Error(), "bearer token") {
		t.Errorf("got %v", err)
	}
	request := connect.NewRequest(&gothermpb.GetAgentRequest{})
	request.Header().Set("Authorization", "Bearer "+token)
	if _, err := agent.GetAgent(t.Context(), request); err != nil {
		t.Errorf("with the token: %v", err)
	}
}

// A web page of evil.example that has its name resolve to 127.0.0.1 is of the
// same origin as the agent to a browser. The name it asks for gives it away.
func TestALoopbackAgentAnswersOnlyForLoopbackHosts(t *testing.T) {
	open := serve(t, newServer(t), Access{Listen: "127.0.0.1:0"})
	locked := serve(t, newServer(t), Access{Listen: "127.0.0.1:0", TokenFile: tokenFile(t, token)})
	_, port, err := net.SplitHostPort(open.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(l *Listener, host string) int {
		request, err := http.NewRequestWithContext(t.Context(), "GET", l.URL+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	for host, want := range map[string]int{
		"127.0.0.1:" + port: 200, "localhost:" + port: 200, "LOCALHOST": 200, "127.8.8.8": 200, "[::1]:" + port: 200, "[::1]": 200,
		"evil.example:" + port: 403, "evil.example": 403, "127.0.0.1.evil.example": 403, "localhost.evil.example": 403, "10.0.0.1": 403, "0.0.0.0": 403,
	} {
		if got := ask(open, host); got != want {
			t.Errorf("host %s: got %d, want %d", host, got, want)
		}
		// Who knows the token is no web page, and may have come by a proxy with a name.
		if got := ask(locked, host); got != 200 {
			t.Errorf("host %s with a token: got %d, want 200", host, got)
		}
	}
}
