// The web server that tests watch. It serves HTTP/1 and HTTP/2 (over TLS) on
// loopback addresses, which it answers the first command with, and counts what
// its handlers saw: on its standard input it takes a command a line, and
// answers with a line of JSON.
package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"time"
)

// answer is what package target reads.
type answer struct {
	GoVersion string
	// HTTP and TLS are the addresses of the servers.
	HTTP, TLS string
	// Served is how often a handler was called.
	Served uint64
	Error  string
}

var served atomic.Uint64

// release is the minor version of Go: before 1.22, patterns have no methods.
var release = func() (minor int) {
	fmt.Sscanf(runtime.Version(), "go1.%d", &minor)
	return minor
}()

func main() {
	log.SetOutput(io.Discard) // of handlers that panic
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	handler := counted(routes())
	go http.Serve(plain, handler)
	server := &http.Server{Handler: handler, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate()}}}
	go server.ServeTLS(secure, "", "")

	in := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		a := answer{GoVersion: runtime.Version(), HTTP: plain.Addr().String(), TLS: secure.Addr().String(), Served: served.Load()}
		if in.Text() != "stats" {
			a.Error = "no such command: " + in.Text()
		}
		if err := out.Encode(a); err != nil {
			os.Exit(1)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// counted counts what a server hands to its handler.
func counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		next.ServeHTTP(w, r)
	})
}

func routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(method, pattern string, h http.HandlerFunc) {
		if release >= 22 {
			pattern = method + " " + pattern
		}
		mux.HandleFunc(pattern, h)
	}
	small := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "small") }
	item := "/items/"
	if release >= 22 {
		item = "/items/{id}"
	}
	handle("GET", item, small)
	handle("POST", "/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	handle("GET", "/large", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("bytes"))
		chunk := make([]byte, 1000)
		for ; n > 0; n -= len(chunk) {
			w.Write(chunk[:min(n, len(chunk))])
		}
	})
	// Go sends a file by sendfile(2).
	handle("GET", "/file", func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(os.Args[0])
		if err != nil {
			panic(err)
		}
		defer f.Close()
		http.ServeContent(w, r, "file", time.Time{}, f)
	})
	handle("GET", "/slow", func(w http.ResponseWriter, r *http.Request) {
		d, _ := time.ParseDuration(r.URL.Query().Get("for"))
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
		fmt.Fprint(w, "slow")
	})
	handle("GET", "/panic", func(w http.ResponseWriter, r *http.Request) { panic("as asked for") })
	handle("GET", "/hijack", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nhijacked")
		conn.Close()
	})
	handle("GET", "/labelled", func(w http.ResponseWriter, r *http.Request) {
		labels := pprof.Labels("trace_id", r.URL.Query().Get("trace"), "user", "u1")
		pprof.Do(r.Context(), labels, func(context.Context) { fmt.Fprint(w, "labelled") })
	})
	handle("GET", "/copied", small)
	handle("GET", "/untouched", untouched)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// As tracing middleware does: ServeMux notes its pattern in a copy.
		if r.URL.Path == "/copied" {
			r = r.WithContext(context.WithValue(r.Context(), answer{}, 1))
		}
		mux.ServeHTTP(w, r)
	})
}

// certificate makes one for this run; nobody checks it.
func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		fail(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		fail(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
