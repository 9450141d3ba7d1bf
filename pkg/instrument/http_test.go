package instrument

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"testing"
)

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	traceparent = "00-" + traceID + "-00f067aa0ba902b7-01"
)

// sayLabels answers with the labels of the goroutine that serves, and those of its context.
func sayLabels(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ofContext := map[string]string{}
		pprof.ForLabels(r.Context(), func(key, value string) bool {
			ofContext[key] = value
			return true
		})
		fmt.Fprint(w, labelsNow(t), " ", len(ofContext), " ", r.PathValue("id"))
	}
}

func ask(t *testing.T, server *httptest.Server, path, traceparent string) string {
	t.Helper()
	r, err := http.NewRequest("GET", server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if traceparent != "" {
		r.Header.Set("traceparent", traceparent)
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestRequestsAreLabelledWithRouteAndTrace(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /items/{id}", sayLabels(t))
	inner := http.NewServeMux()
	inner.Handle("GET /items/{id}", Middleware(sayLabels(t), nil, nil))
	for name, handler := range map[string]http.Handler{
		"around a mux":     Middleware(mux, nil, nil),
		"within a mux":     inner,
		"with a route":     Middleware(mux, func(*http.Request) string { return "GET /items/{id}" }, nil),
		"with a trace id":  Middleware(mux, nil, func(r *http.Request) string { id, _ := TraceID(r.Header.Get("traceparent")); return id }),
		"around a wrapper": Middleware(http.HandlerFunc(mux.ServeHTTP), func(*http.Request) string { return "GET /items/{id}" }, nil),
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			for range 3 { // over one connection: labels do not stay from the request before
				if got, want := ask(t, server, "/items/7", traceparent), `{"route":"GET /items/{id}", "trace_id":"`+traceID+`"} 2 7`; got != want {
					t.Errorf("labels are %s, want %s", got, want)
				}
				if got, want := ask(t, server, "/items/7", "00-"+strings.ToUpper(traceID)+"-00f067aa0ba902b7-01"), `{"route":"GET /items/{id}"} 1 7`; got != want {
					t.Errorf("labels are %s, want %s", got, want)
				}
			}
		})
	}
}

func TestARequestWithoutRouteOrTraceHasNoLabels(t *testing.T) {
	server := httptest.NewServer(Middleware(sayLabels(t), nil, nil))
	defer server.Close()
	if got := ask(t, server, "/anything", ""); got != " 0 " {
		t.Errorf("labels are %s, want none", got)
	}
}

// Who looks at net/http from outside sees the request that net/http made.
func TestTheOriginalRequestKnowsItsRoute(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /items/{id}", sayLabels(t))
	handler := Middleware(mux, nil, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		if r.Pattern != "GET /items/{id}" {
			t.Errorf("the request's pattern is %q, want that of its route", r.Pattern)
		}
	}))
	defer server.Close()
	ask(t, server, "/items/7", "")
}

func TestAStageInARequestKeepsItsLabels(t *testing.T) {
	server := httptest.NewServer(Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, stage := Stage(r.Context(), "render")
		expectLabels(t, `{"route":"page", "stage":"render", "trace_id":"`+traceID+`"}`)
		stage.End()
		expectLabels(t, `{"route":"page", "trace_id":"`+traceID+`"}`)
	}), func(*http.Request) string { return "page" }, nil))
	defer server.Close()
	ask(t, server, "/", traceparent)
}

func TestTraceparentIsReadAsW3CDemands(t *testing.T) {
	const parent = "00f067aa0ba902b7"
	for header, ok := range map[string]bool{
		traceparent:                                               true,
		"00-" + traceID + "-" + parent + "-00":                    true,
		"00-" + traceID + "-" + parent + "-ff":                    true,
		"cc-" + traceID + "-" + parent + "-01":                    true,
		"cc-" + traceID + "-" + parent + "-01-of-a-later-version": true,
		"":                                    false,
		"00-" + traceID + "-" + parent:        false,
		"00-" + traceID + "-" + parent + "-0": false,
		"00-" + traceID + "-" + parent + "-01-more":             false,
		"00-" + traceID + "-" + parent + "-01 ":                 false,
		"cc-" + traceID + "-" + parent + "-01.more":             false,
		"ff-" + traceID + "-" + parent + "-01":                  false,
		"0G-" + traceID + "-" + parent + "-01":                  false,
		"00-" + strings.Repeat("0", 32) + "-" + parent + "-01":  false,
		"00-" + traceID + "-" + strings.Repeat("0", 16) + "-01": false,
		"00-" + strings.ToUpper(traceID) + "-" + parent + "-01": false,
		"00-g" + traceID[1:] + "-" + parent + "-01":             false,
		"00_" + traceID + "-" + parent + "-01":                  false,
		"00-" + traceID + "_" + parent + "-01":                  false,
		"00-" + traceID + "-" + parent + "_01":                  false,
		"00-" + traceID + "-" + parent + "-0x":                  false,
		"00-" + traceID[:31] + "-" + parent + "-01":             false,
		" " + traceparent: false,
		"00-" + traceID + "-" + parent + "-01" + "\x00":                false,
		"00-" + traceID[:31] + "é" + "-" + parent[:15] + "-01":         false,
		"00-" + traceID + "-" + strings.ToUpper("00f067aa0ba902b7-01"): false,
	} {
		id, got := TraceID(header)
		if got != ok || ok && id != traceID {
			t.Errorf("TraceID(%q) = %q, %v, want %v", header, id, got, ok)
		}
	}
}

func FuzzTraceID(f *testing.F) {
	f.Add(traceparent)
	f.Add("cc-" + traceparent[3:] + "-more")
	f.Fuzz(func(t *testing.T, header string) {
		id, ok := TraceID(header)
		if ok && (len(id) != 32 || !isHex(id) || id == strings.Repeat("0", 32) || header[3:35] != id) {
			t.Errorf("TraceID(%q) = %q", header, id)
		}
		if !ok && id != "" {
			t.Errorf("TraceID(%q) = %q, and refuses it", header, id)
		}
	})
}

// Finding the labels of a known route, setting them, and taking them off again.
func TestLabelsOfAKnownRouteMakeNoGarbage(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	if n := testing.AllocsPerRun(100, func() { setRoute(r) }); n > 0 {
		t.Errorf("labels of a known route make %g allocations, want none", n)
	}
}
