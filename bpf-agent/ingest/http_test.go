package ingest

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// What gotherm sees of requests is held against what was sent and what the
// server's handlers were called for.

// visitors send a server requests, and know how many of each route.
type visitors struct {
	t         testing.TB
	http, tls string
	routes    map[string]uint64
	// connections is how many they opened, bytes how many the server has sent
	// in bodies.
	connections uint64
}

func visit(t testing.TB, server *target.Target) *visitors {
	t.Helper()
	at := server.Ask("stats")
	return &visitors{t: t, http: at.HTTP, tls: at.TLS, routes: map[string]uint64{}}
}

func (v *visitors) total() (n uint64) {
	for _, each := range v.routes {
		n += each
	}
	return n
}

// talk opens a connection, sends text on it, and returns all that comes back.
func (v *visitors) talk(text string) string {
	v.t.Helper()
	conn, err := net.Dial("tcp", v.http)
	if err != nil {
		v.t.Fatal(err)
	}
	defer conn.Close()
	v.connections++
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		v.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		v.t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		v.t.Fatal(err)
	}
	return string(answer)
}

func (v *visitors) fetch(client *http.Client, method, url string, body io.Reader, header http.Header) (string, error) {
	v.t.Helper()
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		v.t.Fatal(err)
	}
	maps.Copy(request.Header, header)
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	return string(got), err
}

// client counts its connections.
func (v *visitors) client(h2 bool) *http.Client {
	dialer := net.Dialer{}
	transport := &http.Transport{DialContext: dialer.DialContext, ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	v.t.Cleanup(transport.CloseIdleConnections)
	v.connections++
	return &http.Client{Transport: transport}
}

// everything sends all kinds of requests, n of each.
func (v *visitors) everything(n int, minor int) {
	t := v.t
	t.Helper()
	item := "GET /items/{id}"
	if minor < 22 { // patterns have no methods, and nobody is told of them
		item = "GET /items/…"
	}
	client := v.client(false)
	for i := range n {
		if got, err := v.fetch(client, "GET", fmt.Sprintf("http://%s/items/%d", v.http, i), nil, nil); err != nil || got != "small" {
			t.Fatalf("kept alive: %q, %v", got, err)
		}
		v.routes[item]++
		// Without a length, it is sent in chunks.
		if got, err := v.fetch(client, "POST", "http://"+v.http+"/echo", io.MultiReader(strings.NewReader("in "), strings.NewReader("chunks")), nil); err != nil || got != "in chunks" {
			t.Fatalf("chunked: %q, %v", got, err)
		}
		v.routes["POST /echo"]++
		if got, err := v.fetch(client, "GET", "http://"+v.http+"/nowhere/"+fmt.Sprint(i), nil, nil); err != nil || !strings.Contains(got, "404") {
			t.Fatalf("not found: %q, %v", got, err)
		}
		v.routes["GET /nowhere/…"]++
		if got, err := v.fetch(client, "GET", "http://"+v.http+"/copied", nil, nil); err != nil || got != "small" {
			t.Fatalf("copied: %q, %v", got, err)
		}
		v.routes["GET /copied"]++
		if got, err := v.fetch(client, "GET", "http://"+v.http+"/large?bytes=50000", nil, nil); err != nil || len(got) != 50000 {
			t.Fatalf("large: %d bytes, %v", len(got), err)
		}
		v.routes["GET /large"]++
	}
	pipelined := strings.Repeat("GET /items/7 HTTP/1.1\r\nHost: x\r\n\r\n", n-1) + "GET /items/7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	if got := strings.Count(v.talk(pipelined), "small"); got != n {
		t.Fatalf("%d answers to %d pipelined requests", got, n)
	}
	v.routes[item] += uint64(n)
	for range n {
		if got := v.talk("GET /items/8 HTTP/1.0\r\n\r\n"); !strings.HasSuffix(got, "small") {
			t.Fatalf("HTTP/1.0: %q", got)
		}
		v.routes[item]++
		if got := v.talk("GET /panic HTTP/1.1\r\nHost: x\r\n\r\n"); got != "" {
			t.Fatalf("panicked: %q", got)
		}
		v.routes["GET /panic"]++
		if got := v.talk("GET /hijack HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.HasSuffix(got, "hijacked") {
			t.Fatalf("hijacked: %q", got)
		}
		v.routes["GET /hijack"]++
		v.leave()
		v.routes["GET /slow"]++
	}
	h2 := v.client(true)
	for i := range n {
		if got, err := v.fetch(h2, "GET", fmt.Sprintf("https://%s/items/%d", v.tls, i), nil, nil); err != nil || got != "small" {
			t.Fatalf("HTTP/2: %q, %v", got, err)
		}
		v.routes[item]++
		if got, err := v.fetch(h2, "POST", "https://"+v.tls+"/echo", strings.NewReader("streamed"), nil); err != nil || got != "streamed" {
			t.Fatalf("HTTP/2: %q, %v", got, err)
		}
		v.routes["POST /echo"]++
		if _, err := v.fetch(h2, "GET", "https://"+v.tls+"/panic", nil, nil); err == nil || !strings.Contains(err.Error(), "INTERNAL_ERROR") {
			t.Fatalf("HTTP/2, panicked: %v", err)
		}
		v.routes["GET /panic"]++
	}
}

// leave asks for what takes long, and does not wait for it.
func (v *visitors) leave() {
	v.t.Helper()
	conn, err := net.Dial("tcp", v.http)
	if err != nil {
		v.t.Fatal(err)
	}
	v.connections++
	if _, err := io.WriteString(conn, "GET /slow?for=10s HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		v.t.Fatal(err)
	}
	// Not at once, or the server does not begin.
	time.Sleep(5 * time.Millisecond)
	if err := conn.Close(); err != nil {
		v.t.Fatal(err)
	}
}

// servers are builds of which each reads something in another way: patterns
// since Go 1.22 and 1.23, maps and labels since 1.24, HTTP/2 since 1.27.
func servers() []build {
	all := []build{thisGo}
	if testing.Short() {
		return all
	}
	return append(all, build{name: "go1.21", release: "go1.21.13"}, build{name: "go1.22", release: "go1.22.12"},
		build{name: "go1.23", release: "go1.23.12", flags: []string{"-ldflags=-s -w"}}, build{name: "go1.24", release: "go1.24.13"},
		build{name: "go1.27", release: "go1.27.4"})
}

// watchServer starts a server and watches it.
func watchServer(t testing.TB, b build) (*agent, *target.Target, int) {
	t.Helper()
	server := target.StartWeb(t, b.release, b.flags...)
	needsRoot(t)
	a := watchSelection(t, probe.Options{}, goproc.Selection{PIDs: []int{server.PID()}})
	a.waitFor("server to be watched", func() bool { return a.status(server.PID()) != nil })
	for _, pom := range []string{"http.request", "tcp.send", "tcp.send.bytes", "tcp.accept"} {
		if p := a.point(server.PID(), pom); p.State == probe.Refused {
			t.Fatalf("%s is refused: %s", pom, p.Reason)
		}
	}
	return a, server, a.status(server.PID()).Process.Binary.Minor
}

// settle waits until as many requests have ended as were sent.
func (a *agent) settle(pid int, want uint64) {
	a.t.Helper()
	a.waitFor("all requests to end", func() bool { return a.point(pid, "http.request").Hits >= want })
}

func routesOf(a *agent, pom string) map[string]uint64 {
	found := map[string]uint64{}
	for _, k := range a.head.Keys(pom, nil) {
		found[k.Route] = a.total(pom, heat.Matcher{Dimension: "route", Values: []string{k.Route}}).Count()
	}
	return found
}

func TestEveryRequestIsCountedByItsRoute(t *testing.T) {
	for _, b := range servers() {
		t.Run(b.name, func(t *testing.T) {
			a, server, minor := watchServer(t, b)
			v := visit(t, server)
			v.everything(20, minor)
			a.settle(server.PID(), v.total())
			served := server.Ask("stats").Served
			server.Freeze()
			defer server.Thaw()
			a.flush()
			one := a.checkConserved("http.request")
			if one.Hits != v.total() || served != v.total() {
				t.Errorf("%d requests were seen, %d sent, %d served", one.Hits, v.total(), served)
			}
			if got := routesOf(a, "http.request"); !maps.Equal(got, v.routes) {
				t.Errorf("routes are %v, want %v", got, v.routes)
			}
			for _, pom := range []string{"tcp.send", "tcp.send.bytes", "tcp.accept"} {
				a.checkConserved(pom)
			}
			if got := a.total("tcp.accept").Count(); got != v.connections {
				t.Errorf("%d connections were accepted, %d were opened", got, v.connections)
			}
		})
	}
}

// readEvents takes the events of a point out of the ring.
func (a *agent) readEvents(point bpf.KernelPoint) (events []bpf.KernelLongEvent) {
	a.t.Helper()
	ring, err := openRing(a.kernel.Events)
	if err != nil {
		a.t.Fatal(err)
	}
	defer ring.close()
	if err := ring.read(ring.end(), func(record []byte) {
		e, extra, err := decode(record)
		if err != nil {
			a.t.Error(err)
		} else if e.Key.Point == uint8(point) {
			events = append(events, whole(e, extra))
		}
	}); err != nil {
		a.t.Fatal(err)
	}
	return events
}

func traceID(high, low uint64) string { return fmt.Sprintf("%016x%016x", high, low) }

// A group of a map may end in a page that its process has never touched, which
// nobody can read: the slots that are taken are read without it.
func TestATraceIsReadBesideMemoryThatNobodyHasTouched(t *testing.T) {
	// Before Go 1.24 maps had buckets, which are read slot by slot.
	for _, b := range append(releases("go1.24.13", "go1.27.4"), thisGo) {
		t.Run(b.name, func(t *testing.T) {
			a, server, _ := watchServer(t, b)
			a.rateLimit(server.PID(), 0)
			v := visit(t, server)
			client := v.client(false)
			const requests = 20
			for i := range requests {
				url := fmt.Sprintf("http://%s/untouched?parent=00-%s-00f067aa0ba902b7-01", v.http, traceID(9, uint64(i)))
				if got, err := v.fetch(client, "GET", url, nil, nil); err != nil || got != "small" {
					t.Fatalf("%q, %v", got, err)
				}
			}
			a.settle(server.PID(), requests)
			for i, e := range a.readEvents(bpf.KernelPointHTTP_REQUEST) {
				if got, want := traceID(e.Extra[0], e.Extra[1]), traceID(9, uint64(i)); got != want {
					t.Errorf("request %d has trace %s, want %s", i, got, want)
				}
			}
		})
	}
}

func TestRequestsHaveTheTraceThatTheyCameWith(t *testing.T) {
	for _, b := range servers() {
		t.Run(b.name, func(t *testing.T) {
			a, server, _ := watchServer(t, b)
			a.rateLimit(server.PID(), 0)
			v := visit(t, server)
			client, h2 := v.client(false), v.client(true)
			want := map[string]int{}
			n := 0
			ask := func(path, parent string, others int) {
				header := http.Header{}
				for i := range others {
					header.Set(fmt.Sprintf("X-Other-%d", i), "1")
				}
				if parent != "" {
					header.Set("traceparent", parent)
				}
				for _, url := range []string{"http://" + v.http, "https://" + v.tls} {
					c := client
					if strings.HasPrefix(url, "https") {
						c = h2
					}
					if _, err := v.fetch(c, "GET", url+path, nil, header); err != nil {
						t.Fatalf("%d headers, traceparent %q: %v", len(header), parent, err)
					}
					n++
				}
			}
			// Maps of one group, of several, and more.
			for i, others := range []int{0, 3, 6, 7, 12, 30, 100} {
				id := traceID(0xabcdef0123456789, uint64(i+1))
				ask("/items/1", "00-"+id+"-00f067aa0ba902b7-01", others)
				want[id] += 2
			}
			ask("/items/1", "cc-"+traceID(1, 2)+"-00f067aa0ba902b7-01-of-a-later-version", 0)
			want[traceID(1, 2)] += 2
			for _, bad := range []string{
				"", "00-" + traceID(0, 0) + "-00f067aa0ba902b7-01", "ff-" + traceID(1, 1) + "-00f067aa0ba902b7-01",
				"00-" + traceID(1, 1) + "-0000000000000000-01", "00-" + strings.ToUpper(traceID(0xa, 1)) + "-00f067aa0ba902b7-01",
				"00-" + traceID(1, 1) + "-00f067aa0ba902b7-01-more", "00-" + traceID(1, 1) + "-00f067aa0ba902b7", "00-g" + traceID(1, 1)[1:] + "-00f067aa0ba902b7-01",
			} {
				ask("/items/1", bad, 2)
				want[traceID(0, 0)] += 2
			}
			ask("/labelled?trace="+traceID(7, 7), "", 2)
			want[traceID(7, 7)] += 2
			ask("/labelled?trace="+traceID(7, 7), "00-"+traceID(8, 8)+"-00f067aa0ba902b7-01", 2)
			want[traceID(8, 8)] += 2
			a.settle(server.PID(), uint64(n))
			got := map[string]int{}
			for _, e := range a.readEvents(bpf.KernelPointHTTP_REQUEST) {
				got[traceID(e.Extra[0], e.Extra[1])]++
				if e.Event.Goid == 0 {
					t.Errorf("a request without a goroutine: %+v", e)
				}
			}
			if !maps.Equal(got, want) {
				t.Errorf("traces are %v, want %v", got, want)
			}
		})
	}
}

func TestRequestsAreAsDeepAsTheirSends(t *testing.T) {
	a, server, _ := watchServer(t, thisGo)
	v := visit(t, server)
	client := v.client(false)
	for range 50 {
		if _, err := v.fetch(client, "GET", "http://"+v.http+"/large?bytes=20000", nil, nil); err != nil {
			t.Fatal(err)
		}
		v.talk("GET /panic HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	a.settle(server.PID(), 100)
	server.Freeze()
	defer server.Thaw()
	a.flush()
	for _, k := range a.head.Keys("http.request", nil) {
		switch depth := k.Depth; {
		case depth == 0:
			t.Errorf("the depth of %q is not known", k.Route)
		case k.Route == "GET /large" && (depth-1 < 3 || depth-1 > 32):
			t.Errorf("%q sent from a depth of %d", k.Route, depth-1)
		case k.Route == "GET /panic" && depth-1 != 0:
			t.Errorf("%q sent from a depth of %d, and it did not send", k.Route, depth-1)
		}
	}
	large := heat.Matcher{Dimension: "route", Values: []string{"GET /large"}}
	bytes := a.total("tcp.send.bytes", large)
	// The bodies, and headers and chunks around them.
	if body := uint64(50 * 20000); bytes.Sum < body || bytes.Sum > body+50*1000 {
		t.Errorf("%d bytes were sent for %d of bodies", bytes.Sum, body)
	}
	if sends := a.total("tcp.send", large).Count(); sends != bytes.Count() || sends < 100 {
		t.Errorf("%d sends took time, %d took bytes", sends, bytes.Count())
	}
	for _, k := range a.head.Keys("tcp.send", []heat.Matcher{large}) {
		if k.Depth < 3 || k.Depth > 33 || k.Node == 0 {
			t.Errorf("a send without depth or node: %+v", k)
		}
	}
}

// The stack is walked only where a thread sends by another way than last time:
// a send must not have the depth of another system call's.
func TestSendsByOtherSystemCallsHaveOtherDepths(t *testing.T) {
	a, server, _ := watchServer(t, thisGo)
	v := visit(t, server)
	client := v.client(false)
	for range 10 {
		for _, path := range []string{"/large?bytes=20000", "/file"} {
			if _, err := v.fetch(client, "GET", "http://"+v.http+path, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	a.settle(server.PID(), 20)
	server.Freeze()
	defer server.Thaw()
	a.flush()
	depths := func(route string) []uint8 {
		found := map[uint8]bool{}
		for _, k := range a.head.Keys("tcp.send", []heat.Matcher{{Dimension: "route", Values: []string{route}}}) {
			found[uint8(k.Depth)] = true
		}
		return slices.Sorted(maps.Keys(found))
	}
	written, sent := depths("GET /large"), depths("GET /file")
	if len(written) != 1 {
		t.Fatalf("what is written goes out from depths of %v, must be one", written)
	}
	// The header of the answer is written, then the file is sent.
	if len(sent) != 2 || !slices.Contains(sent, written[0]) {
		t.Errorf("files go out from depths of %v, must be %d and that of sendfile(2)", sent, written[0])
	}
}

// A client can ask for any path.
func TestRoutesOfPathsAreFew(t *testing.T) {
	a, server, _ := watchServer(t, thisGo)
	v := visit(t, server)
	client := v.client(false)
	for i := range 300 {
		if _, err := v.fetch(client, "GET", fmt.Sprintf("http://%s/%d", v.http, i), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	a.settle(server.PID(), 300)
	server.Freeze()
	defer server.Thaw()
	a.flush()
	got := routesOf(a, "http.request")
	if len(got) != 101 || got["…"] != 200 || got["GET /7"] != 1 {
		t.Errorf("%d routes, of which the rest is %d", len(got), got["…"])
	}
	a.checkConserved("http.request")
}

func TestRoutesOfPathsAreTheirFirstSegment(t *testing.T) {
	a, server, _ := watchServer(t, thisGo)
	v := visit(t, server)
	client := v.client(false)
	long := "/" + strings.Repeat("p", 39) // as much of a path as is looked at
	want := map[string]uint64{}
	for path, route := range map[string]string{
		"/": "/", "/a": "/a", "/a/": "/a/", "/a/b": "/a/…", "/a/b/c": "/a/…",
		long: long, long + "p": long + "…", long + "/p": long + "…", long[:39] + "/p": long[:39] + "/…",
	} {
		for _, method := range []string{"GET", "PROPFIND"} {
			if _, err := v.fetch(client, method, "http://"+v.http+path, nil, nil); err != nil {
				t.Fatal(err)
			}
			want[method[:min(7, len(method))]+" "+route]++
		}
	}
	a.settle(server.PID(), 18)
	server.Freeze()
	defer server.Thaw()
	a.flush()
	if got := routesOf(a, "http.request"); !maps.Equal(got, want) {
		t.Errorf("routes are %v, want %v", got, want)
	}
}

func TestWhatServesNothingIsRefusedCalmly(t *testing.T) {
	needsRoot(t)
	server := target.StartIdle(t)
	a := watchSelection(t, probe.Options{}, goproc.Selection{PIDs: []int{server.PID()}})
	a.waitFor("process to be watched", func() bool { return a.status(server.PID()) != nil })
	for _, pom := range []string{"http.request", "tcp.accept"} {
		if p := a.point(server.PID(), pom); p.State != probe.Refused || !strings.Contains(p.Reason, "does not") {
			t.Errorf("%s is %s: %q", pom, p.State, p.Reason)
		}
	}
	if log := a.log.String(); strings.Contains(log, "refused") {
		t.Errorf("the log says:\n%s", log)
	}
}
