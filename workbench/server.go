package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
)

// contentPolicy lets the page load nothing from elsewhere. Workers may come
// from blobs: that is how the panel starts its renderer, in Grafana too.
// Emotion writes style elements, hence 'unsafe-inline' for styles; libraries of Grafana's
// compile functions, hence 'unsafe-eval', as in the policy that Grafana comes with.
const contentPolicy = "default-src 'self'; script-src 'self' 'unsafe-eval'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// pluginPath is where the front end looks for its own files: the public path
// that it was built with.
const pluginPath = "/public/plugins/gotherm-runtime-app/"

// newServer returns all that the workbench serves:
//
//	GET  /                   the built page
//	GET  /public/plugins/... the front end of the plugin, where Grafana has it
//	GET  /api/dashboards     the dashboards, as provisioned
//	POST /api/query          as Grafana's /api/ds/query
//	GET  /api/health         CheckHealth, and how the plugin's process does
//	any  /api/resources/...  CallResource
//	GET  /api/live           frames of the channels of a session, as Server-Sent Events
//	PUT  /api/live/{session} the channels that the session wants
func newServer(plugin *keeper, source *source, o options) (http.Handler, error) {
	page, err := os.OpenRoot(o.page)
	if err != nil {
		return nil, err
	}
	frontend, err := os.OpenRoot(o.frontend)
	if err != nil {
		return nil, err
	}
	api := &api{plugin: plugin, source: source}
	live := &live{plugin: plugin, source: source, sessions: map[string]*session{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/query", api.query)
	mux.HandleFunc("GET /api/health", api.health)
	mux.HandleFunc("/api/resources/{path...}", api.resource)
	mux.HandleFunc("GET /api/live", live.stream)
	mux.HandleFunc("PUT /api/live/{session}", live.subscribe)
	mux.HandleFunc("GET /api/dashboards", func(w http.ResponseWriter, r *http.Request) { listDashboards(w, o.dashboards) })
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, fmt.Errorf("the workbench has no %s %s", r.Method, r.URL.Path))
	})
	mux.Handle(pluginPath, http.StripPrefix(pluginPath, http.FileServerFS(frontend.FS())))
	mux.Handle("/", http.FileServerFS(page.FS()))
	return loopbackOnly(http.NewCrossOriginProtection().Handler(mux)), nil
}

// loopbackOnly refuses requests that were made for another host. The socket is
// on loopback already; this stops a web page whose host name was made to
// resolve to loopback (DNS rebinding) from reading what we answer.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !isLoopback(host) {
			refuse(w, http.StatusForbidden, fmt.Errorf("host is %q, must be a loopback address or localhost", r.Host))
			return
		}
		w.Header().Set("Content-Security-Policy", contentPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}
