package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// builtPlugin builds the real back end, once for all tests.
var builtPlugin = sync.OnceValues(func() (string, error) {
	directory, err := os.MkdirTemp("", "workbench")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(directory, "gpx_gotherm_runtime")
	build := exec.Command("go", "build", "-o", binary, "../pkg")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the plugin: %w\n%s", err, output)
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binary, err := builtPlugin(); err == nil {
		os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// closedPort is an address on loopback where nobody listens.
func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// workbench serves a page, two dashboards of which one is broken, and the
// plugin that the keeper keeps, over an agent that is away.
func workbench(t *testing.T, k *keeper) *httptest.Server {
	t.Helper()
	page, frontend, dashboards := t.TempDir(), t.TempDir(), t.TempDir()
	write := func(directory, name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600))
	}
	write(page, "index.html", "<title>the page</title>")
	write(frontend, "plugin.json", `{"id":"gotherm-runtime-app"}`)
	write(dashboards, "a.json", `{"uid":"heat","title":"Go heat","panels":[]}`)
	write(dashboards, "b.json", `{"uid":"heat"`)
	write(dashboards, "c.json", `{"title":"nameless"}`)
	source, err := newSource("http://" + closedPort(t))
	require.NoError(t, err)
	handler, err := newServer(k, source, options{page: page, frontend: frontend, dashboards: dashboards})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// kept is a keeper of the real plugin.
func kept(t *testing.T) *keeper {
	t.Helper()
	binary, err := builtPlugin()
	require.NoError(t, err)
	k, err := keep(binary, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, err)
	t.Cleanup(k.close)
	return k
}

// nobody is a keeper whose process is down.
func nobody() *keeper { return &keeper{} }

func ask(t *testing.T, method, url, body string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	var answer map[string]any
	if len(content) > 0 {
		require.NoError(t, json.Unmarshal(content, &answer), "%s", content)
	}
	return response.StatusCode, answer
}

func TestOnlyLoopbackIsListenedOn(t *testing.T) {
	page, frontend := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(page, "index.html"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(frontend, "plugin.json"), nil, 0o600))
	good := options{agent: "http://127.0.0.1:7117", listen: "127.0.0.1:7118", page: page, frontend: frontend, dashboards: t.TempDir()}
	for listen, refusal := range map[string]string{
		"127.0.0.1:7118": "", "localhost:0": "", "[::1]:7118": "",
		"0.0.0.0:7118": "must be a loopback address", ":7118": "must be a loopback address",
		"192.0.2.1:7118": "must be a loopback address", "localhost.example.org:7118": "must be a loopback address",
		"127.0.0.1": "must be an address and a port",
	} {
		o := good
		o.listen = listen
		if err := o.check(); refusal == "" {
			require.NoError(t, err, listen)
		} else {
			require.ErrorContains(t, err, refusal, listen)
			require.ErrorContains(t, err, "-listen", listen)
		}
	}
}

func TestFlagsThatCannotBeAreNamed(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	for want, o := range map[string]options{
		"-agent":    {listen: "127.0.0.1:0", agent: "127.0.0.1:7117"},
		"-page":     {listen: "127.0.0.1:0", agent: "http://127.0.0.1:7117", page: nowhere},
		"-frontend": {listen: "127.0.0.1:0", agent: "http://127.0.0.1:7117", page: builtPage(t), frontend: nowhere},
	} {
		require.ErrorContains(t, o.check(), want)
	}
}

func builtPage(t *testing.T) string {
	page := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(page, "index.html"), nil, 0o600))
	return page
}

func TestAPageOfAnotherHostReadsNothing(t *testing.T) {
	server := workbench(t, nobody())
	for host, status := range map[string]int{
		"127.0.0.1:7118": 200, "localhost:7118": 200, "[::1]:7118": 200, "localhost": 200,
		"rebound.example.org:7118": 403, "127.0.0.1.example.org": 403, "": 403,
	} {
		// Written by hand: the client would not send an empty host.
		connection, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		fmt.Fprintf(connection, "GET /api/dashboards HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		require.NoError(t, err)
		require.Equal(t, status, response.StatusCode, "host %q", host)
		connection.Close()
	}
}

func TestAPageOfAnotherSiteAsksNothing(t *testing.T) {
	server := workbench(t, nobody())
	request, err := http.NewRequest("POST", server.URL+"/api/query", strings.NewReader("{}"))
	require.NoError(t, err)
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusForbidden, response.StatusCode)
}

func TestBadQueriesAreToldWhatIsWrong(t *testing.T) {
	server := workbench(t, nobody())
	queries := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`{"refId":"Q%d"}`, i)
		}
		return strings.Join(list, ",")
	}
	for body, want := range map[string]string{
		``:   "the body is not what it must be",
		`[]`: "the body is not what it must be",
		`{"from":"now-5m","to":"1","queries":[{"refId":"A"}]}`:          `from is "now-5m", must be milliseconds since the epoch`,
		`{"from":"0","queries":[{"refId":"A"}]}`:                        `to is "", must be milliseconds since the epoch`,
		`{"from":"0","to":"1"}`:                                         "queries has 0, must have 1 to 100",
		`{"from":"0","to":"1","queries":[` + queries(101) + `]}`:        "queries has 101, must have 1 to 100",
		`{"from":"0","to":"1","queries":[7]}`:                           "queries[0]",
		`{"from":"0","to":"1","queries":[{}]}`:                          `queries[0].refId is ""`,
		`{"from":"0","to":"1","queries":[{"refId":"A"},{"refId":"A"}]}`: `queries[1].refId is "A"`,
	} {
		status, answer := ask(t, "POST", server.URL+"/api/query", body)
		require.Equal(t, http.StatusBadRequest, status, body)
		require.Contains(t, answer["message"], want, body)
	}
	status, answer := ask(t, "POST", server.URL+"/api/query", strings.Repeat(" ", maxBody+1))
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Contains(t, answer["message"], strconv.Itoa(maxBody))
}

func TestWhatIsNotThereIsSaidAsJSON(t *testing.T) {
	server := workbench(t, nobody())
	status, answer := ask(t, "GET", server.URL+"/api/annotations", "")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, answer["message"], "GET /api/annotations")
}

func TestNothingOutsideOfThePageIsServed(t *testing.T) {
	server := workbench(t, nobody())
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("secret"), 0o600))
	for _, path := range []string{"/..%2f..%2f..%2f..%2fetc/passwd", "/public/plugins/gotherm-runtime-app/..%2f..%2fetc/passwd"} {
		response, err := http.Get(server.URL + path)
		require.NoError(t, err)
		response.Body.Close()
		require.GreaterOrEqual(t, response.StatusCode, 400, path)
	}
}

func TestABrokenDashboardHidesNoOther(t *testing.T) {
	server := workbench(t, nobody())
	response, err := http.Get(server.URL + "/api/dashboards")
	require.NoError(t, err)
	defer response.Body.Close()
	var files []dashboardFile
	require.NoError(t, json.NewDecoder(response.Body).Decode(&files))
	require.Len(t, files, 3)
	require.JSONEq(t, `{"uid":"heat","title":"Go heat","panels":[]}`, string(files[0].Dashboard))
	require.Equal(t, "b.json", files[1].File)
	require.Contains(t, files[1].Error, "unexpected end of JSON")
	require.Contains(t, files[2].Error, "must have a uid and a title")
}

func TestAnAgentThatIsAwayIsSaid(t *testing.T) {
	server := workbench(t, kept(t))
	status, answer := ask(t, "GET", server.URL+"/api/health", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "ERROR", answer["status"])
	require.Contains(t, answer["message"], "connection refused")
	require.Equal(t, true, answer["plugin"].(map[string]any)["running"])

	now := time.Now().UnixMilli()
	status, answer = ask(t, "POST", server.URL+"/api/query", fmt.Sprintf(
		`{"from":"%d","to":"%d","queries":[{"refId":"A","kind":"heatmap","pom":"sched.latency"}]}`, now-60_000, now))
	require.Contains(t, []int{http.StatusOK, http.StatusMultiStatus}, status)
	require.Contains(t, fmt.Sprint(answer["results"].(map[string]any)["A"]), "connection refused")
}

func TestThePluginIsStartedAgainWhenItDies(t *testing.T) {
	k := kept(t)
	server := workbench(t, k)
	killed := pluginProcess(t)
	require.NoError(t, syscall.Kill(killed, syscall.SIGKILL))
	require.Eventually(t, func() bool { return k.state().Deaths == 1 && k.state().Running }, 30*time.Second, 50*time.Millisecond)

	require.NotEqual(t, killed, pluginProcess(t))
	_, answer := ask(t, "GET", server.URL+"/api/health", "")
	require.Equal(t, map[string]any{"running": true, "deaths": 1.0}, answer["plugin"])
	require.Contains(t, answer["message"], "connection refused", "the new process answers")
}

func TestWhileThePluginIsDownThatIsSaid(t *testing.T) {
	server := workbench(t, nobody())
	_, answer := ask(t, "GET", server.URL+"/api/health", "")
	require.Equal(t, "ERROR", answer["status"])
	require.Contains(t, answer["message"], "is being started again")
	for method, path := range map[string]string{"POST": "/api/query", "GET": "/api/resources/points"} {
		status, answer := ask(t, method, server.URL+path, `{"from":"0","to":"1","queries":[{"refId":"A"}]}`)
		require.Equal(t, http.StatusBadGateway, status, path)
		require.Contains(t, answer["message"], "is being started again", path)
	}
}

func TestABinaryThatIsNoPluginIsRefused(t *testing.T) {
	_, err := keep("/bin/true", slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "start plugin /bin/true")
}

func TestALiveSessionIsRefusedWhatItCannotHave(t *testing.T) {
	server := workbench(t, nobody())
	events, session := openLive(t, server.URL)
	many := make([]string, maxChannels+1)
	for i := range many {
		many[i] = fmt.Sprintf(`{"id":"ds/gotherm/heat/%d"}`, i)
	}
	for body, want := range map[string]string{
		`{"channels":[{"id":"ds/other/heat"}]}`:          `channels[0]: id is "ds/other/heat", must begin with ds/gotherm/`,
		`{"channels":[{"id":"ds/gotherm/"}]}`:            `channels[0]`,
		`{"channels":"all"}`:                             "the body is not what it must be",
		`{"channels":[` + strings.Join(many, ",") + `]}`: "channels has 101, must have at most 100",
	} {
		status, answer := ask(t, "PUT", server.URL+"/api/live/"+session, body)
		require.Equal(t, http.StatusBadRequest, status, body)
		require.Contains(t, answer["message"], want)
	}
	status, answer := ask(t, "PUT", server.URL+"/api/live/another", `{"channels":[]}`)
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, answer["message"], "no such session")

	// A channel that can be asked for, while the plugin is down: the gap is told.
	status, _ = ask(t, "PUT", server.URL+"/api/live/"+session, `{"channels":[{"id":"ds/gotherm/heat"}]}`)
	require.Equal(t, http.StatusNoContent, status)
	name, data := nextEvent(t, events)
	require.Equal(t, "gap", name)
	require.Contains(t, data, "is being started again")
}

func TestASessionEndsWithItsStream(t *testing.T) {
	server := workbench(t, nobody())
	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/api/live", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	_, data := nextEvent(t, bufio.NewReader(response.Body))
	var session struct{ ID string }
	require.NoError(t, json.Unmarshal([]byte(data), &session))
	leave()
	response.Body.Close()
	require.Eventually(t, func() bool {
		status, _ := ask(t, "PUT", server.URL+"/api/live/"+session.ID, `{"channels":[]}`)
		return status == http.StatusNotFound
	}, 10*time.Second, 20*time.Millisecond)
}

func openLive(t *testing.T, url string) (events *bufio.Reader, session string) {
	t.Helper()
	response, err := http.Get(url + "/api/live")
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	events = bufio.NewReader(response.Body)
	name, data := nextEvent(t, events)
	require.Equal(t, "session", name)
	var first struct{ ID string }
	require.NoError(t, json.Unmarshal([]byte(data), &first))
	return events, first.ID
}

func nextEvent(t *testing.T, events *bufio.Reader) (name, data string) {
	t.Helper()
	for {
		line, err := events.ReadString('\n')
		require.NoError(t, err)
		switch key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); key {
		case "event":
			name = value
		case "data":
			data = value
		case "":
			if name != "" {
				return name, data
			}
		}
	}
}

// pluginProcess returns the pid of the plugin that this process has started.
func pluginProcess(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		status, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "status"))
		if err != nil || !strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
			continue
		}
		// A zombie has no executable.
		if target, err := os.Readlink(filepath.Join("/proc", entry.Name(), "exe")); err == nil && strings.Contains(target, "gpx_gotherm_runtime") {
			return pid
		}
	}
	t.Fatal("the plugin's process is not among our children")
	return 0
}
