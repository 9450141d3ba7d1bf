package profile

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	httppprof "net/http/pprof"
	"slices"
	"strings"
	"testing"
	"time"
)

// program serves net/http/pprof, as a program does that imports it, and what the test adds.
func program(t *testing.T, add func(*http.ServeMux)) string {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", httppprof.Index)
	mux.HandleFunc("/debug/pprof/profile", httppprof.Profile)
	if add != nil {
		add(mux)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/debug/pprof/"
}

func target(t *testing.T, url string, client *http.Client) *Target {
	t.Helper()
	made, err := NewTarget(url, client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.Close)
	return made
}

func TestAProgramSaysWhatItServesAndServesIt(t *testing.T) {
	at := target(t, program(t, nil), http.DefaultClient)
	served, err := at.Index(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cpu", "heap", "allocs", "goroutine", "mutex", "block", "threadcreate"} {
		i := slices.IndexFunc(served, func(s Served) bool { return s.Type == name })
		if i < 0 {
			t.Errorf("%s is not among %v", name, served)
			continue
		}
		if name == "goroutine" && served[i].Count < 2 {
			t.Errorf("there are %d goroutines, at least those of the test and the server run", served[i].Count)
		}
		if name == CPU {
			continue // it takes a while
		}
		p, err := at.Fetch(t.Context(), Request{Type: name}, Usual)
		if err != nil || len(p.SampleType) == 0 || len(p.Raw) == 0 {
			t.Errorf("%s is %v, %v", name, p, err)
		}
	}
	for _, name := range []string{"trace", "cmdline", "symbol", "profile"} {
		if slices.ContainsFunc(served, func(s Served) bool { return s.Type == name }) {
			t.Errorf("%s is listed as a profile", name)
		}
	}
}

func TestMemoryFreedMeanwhileIsLessThanNone(t *testing.T) {
	at := target(t, program(t, nil), http.DefaultClient)
	if p, err := at.Fetch(t.Context(), Request{Type: "heap", Seconds: 1}, Usual); err != nil || p.To.Sub(p.From) < time.Second {
		t.Errorf("what was allocated and freed in a second is %v, %v", p, err)
	}
}

// TestTheSecondCPUProfileIsToldThatThereIsAFirst: the runtime answers with HTTP
// 500 then, which is nobody's fault.
func TestTheSecondCPUProfileIsToldThatThereIsAFirst(t *testing.T) {
	url := program(t, nil)
	at := target(t, url, http.DefaultClient)
	begun := make(chan struct{})
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		close(begun)
		var err error
		for err == nil { // until it is the first
			var response *http.Response
			request, _ := http.NewRequestWithContext(ctx, http.MethodGet, url+"profile?seconds=30", nil)
			if response, err = http.DefaultClient.Do(request); err == nil {
				response.Body.Close()
			}
		}
		ended <- err
	}()
	<-begun
	var busy Busy
	for range 100 {
		_, err := at.Fetch(t.Context(), Request{Type: CPU, Seconds: 1}, Usual)
		if errors.As(err, &busy) {
			break
		}
	}
	if !strings.Contains(busy.Error(), "already in use") || !strings.Contains(busy.Error(), "Ask again") {
		t.Errorf("the second is told %q", busy)
	}
	cancel()
	<-ended
	// The runtime takes a moment to end the profile whose reader has gone.
	for range 50 {
		if _, err := at.Fetch(t.Context(), Request{Type: CPU, Seconds: 1}, Usual); err == nil {
			return
		}
	}
	t.Error("no CPU profile comes after the first has ended")
}

// TestATargetThatMisbehavesIsToldOf has a page for each way to misbehave.
func TestATargetThatMisbehavesIsToldOf(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was asked, with the token %q", r.URL, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	limits := Usual
	limits.Packed = 1 << 20
	url := program(t, func(mux *http.ServeMux) {
		page := func(name string, serve http.HandlerFunc) { mux.HandleFunc("/debug/pprof/"+name, serve) }
		page("broken", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the disk\n\tis full"+strings.Repeat(" and so on", 1000), http.StatusInternalServerError)
		})
		page("away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) })
		page("round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "round", http.StatusFound) })
		page("moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "heap", http.StatusFound) })
		page("slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		page("endless", func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		})
		page("torn", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "\x1f\x8b\x08")
		})
		page("web", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>please log in</html>") })
		page("closed", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "who are you?", http.StatusUnauthorized) })
		page("empty", func(http.ResponseWriter, *http.Request) {})
	})
	at := target(t, url, http.DefaultClient)
	for name, says := range map[string]string{
		"broken":   "HTTP 500: the disk is full",
		"away":     "redirects to " + elsewhere.URL + ", which is refused",
		"round":    "redirects more than 3 times",
		"slow":     "did not answer in time",
		"endless":  "answers more than 1048576 bytes",
		"torn":     "ends in the middle",
		"web":      "not a profile",
		"closed":   "HTTP 401: are its headers set? who are you?",
		"empty":    "it is empty",
		"absent":   "does not serve absent: HTTP 404",
		"../vars":  "which is no name of one",
		"heap?x=1": "which is no name of one",
	} {
		length := 10 * time.Second
		if name == "slow" {
			length = 100 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), length)
		_, err := at.Fetch(ctx, Request{Type: name}, limits)
		cancel()
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: the error is %v, want it to say %q", name, err, says)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
	}
	if _, err := at.Fetch(t.Context(), Request{Type: "moved"}, limits); err != nil {
		t.Errorf("a redirect on the same host is not followed: %v", err)
	}
	away := target(t, elsewhere.URL+"/debug/pprof/", http.DefaultClient)
	elsewhere.Close()
	if _, err := away.Index(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer") || strings.Contains(err.Error(), "pprof") {
		t.Errorf("of a target that is gone it says %v", err)
	}
}

func TestOnlyAnIndexPageIsOne(t *testing.T) {
	for name, page := range map[string]string{
		"it lists nothing":      `<html><a href="https://evil.example/heap">heap</a><a href="/etc/passwd">passwd</a><a href="../up">up</a></html>`,
		"it lists ever more":    `<a href="a` + strings.Repeat("a", 1<<17),
		"it lists far too many": many(),
	} {
		if served, err := readIndex(strings.NewReader(page)); err == nil {
			t.Errorf("%s: it is read as %v", name, served)
		}
	}
}

func many() string {
	var page strings.Builder
	for i := range 600 {
		page.WriteString(`<a href="p` + strings.Repeat("x", i) + `?debug=1">`)
	}
	return page.String()
}

// TestAPrivateCertificateNeedsItsAuthority speaks TLS to a program whose certificate no browser knows.
func TestAPrivateCertificateNeedsItsAuthority(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", httppprof.Index)
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	url := server.URL + "/debug/pprof"
	if _, err := target(t, url, &http.Client{Transport: &http.Transport{}}).Index(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without its authority it says %v", err)
	}
	known := x509.NewCertPool()
	known.AddCert(server.Certificate())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: known}}}
	if served, err := target(t, url, client).Index(t.Context()); err != nil || len(served) == 0 {
		t.Errorf("with its authority it serves %v, %v", served, err)
	}
}
