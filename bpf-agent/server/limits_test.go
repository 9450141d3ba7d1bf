package server

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"github.com/gotherm/gotherm/pkg/heat"
)

func quoted(n int, text string) string {
	return strings.TrimSuffix(strings.Repeat(strconv.Quote(text)+",", n), ",")
}

func TestARequestThatCannotBeAnsweredIsToldTheFieldWhatWasFoundAndTheLimit(t *testing.T) {
	url := loopback(t, newServer(t))
	heatWith := func(change string) string {
		return fmt.Sprintf(`{"pom":"gc.stw","start":%q,"end":%q,"step":"1s",%s}`, at(0), at(60), change)
	}
	inSteps := func(step string) string {
		return fmt.Sprintf(`{"pom":"gc.stw","start":%q,"end":%q,"step":%q}`, at(0), at(60), step)
	}
	for _, c := range []struct{ name, method, body, want string }{
		{"nothing", "QueryHeat", `{}`, `pom is "", must be one of gc.stw, `},
		{"a point that is not", "QueryHeat", `{"pom":"gc.naps"}`, `pom is "gc.naps", must be one of gc.stw, `},
		{"a name of a megabyte", "QueryHeat", `{"pom":"` + strings.Repeat("x", 900_000) + `"}`, "xxx…"},
		{"no start", "QueryHeat", `{"pom":"gc.stw"}`, "start is missing"},
		{"no end", "QueryHeat", fmt.Sprintf(`{"pom":"gc.stw","start":%q}`, at(0)), "end is missing"},
		{"ten years", "QueryHeat", `{"pom":"gc.stw","start":"2016-11-24T00:00:00Z","end":"2026-11-22T00:00:00Z","step":"1s"}`, "range is 3650d, at most 7d"},
		{"all of time", "QuerySeries", `{"pom":"gc.stw","start":"0001-01-01T00:00:00Z","end":"9999-12-31T23:59:59Z","step":"1s"}`, ", at most 7d"},
		{"backwards", "QueryHeat", fmt.Sprintf(`{"pom":"gc.stw","start":%q,"end":%q,"step":"1s"}`, at(60), at(0)), "end is 2026-11-22T12:00:00Z, must be after start, 2026-11-22T12:01:00Z"},
		{"no step", "QueryHeat", fmt.Sprintf(`{"pom":"gc.stw","start":%q,"end":%q}`, at(0), at(60)), "step is missing"},
		{"a step of nothing", "QueryHeat", inSteps("0s"), "step is 0s, must be a whole number of seconds, at least 1s"},
		{"half a step", "QueryHeat", inSteps("1.5s"), "step is 1.5s, must be a whole number of seconds"},
		{"a step of a year", "QueryHeat", inSteps("31536000s"), "step is 365d, at most 7d"},
		{"a week of seconds", "QueryHeat", `{"pom":"gc.stw","start":"2026-11-15T12:00:00Z","end":"2026-11-22T12:00:00Z","step":"1s"}`, "604800 columns, at most 11000"},
		{"an unknown dimension", "QueryHeat", heatWith(`"groupBy":["colour"]`), `group_by is "colour", must be one of the dimensions of gc.stw: service, version, process`},
		{"another point's dimension", "QueryHeat", heatWith(`"groupBy":["function"]`), `group_by is "function", must be one of the dimensions of gc.stw`},
		{"a dimension twice", "QueryHeat", heatWith(`"groupBy":["node","node"]`), `group_by has "node" twice`},
		{"an unknown matcher", "QueryHeat", heatWith(`"matchers":[{"dimension":"altitude"}]`), `matchers.dimension is "altitude"`},
		{"too many matchers", "QueryHeat", heatWith(`"matchers":[` + strings.TrimSuffix(strings.Repeat(`{"dimension":"node"},`, 17), ",") + `]`), "matchers has 17, at most 16"},
		{"too many values", "QueryHeat", heatWith(`"matchers":[{"dimension":"node","values":[` + quoted(101, "1") + `]}]`), "matchers.values of node has 101, at most 100"},
		{"a value too long", "QueryHeat", heatWith(`"matchers":[{"dimension":"service","values":["` + strings.Repeat("s", 1025) + `"]}]`), "one of 1025 bytes, at most 1024"},
		{"no statistics", "QuerySeries", heatWith(`"statistics":[]`), "statistics has 0, must have 1 to 16"},
		{"too many statistics", "QuerySeries", heatWith(`"statistics":[` + strings.TrimSuffix(strings.Repeat(`{"kind":"KIND_MAX"},`, 17), ",") + `]`), "statistics has 17, must have 1 to 16"},
		{"a statistic of no kind", "QuerySeries", heatWith(`"statistics":[{}]`), "statistics.kind is KIND_UNSPECIFIED, must be"},
		{"a quantile of 1", "QuerySeries", heatWith(`"statistics":[{"kind":"KIND_QUANTILE","quantile":1}]`), "statistics.quantile is 1, must be over 0 and under 1"},
		{"a quantile that is no number", "QuerySeries", heatWith(`"statistics":[{"kind":"KIND_QUANTILE","quantile":"NaN"}]`), "statistics.quantile is NaN"},
		{"a quantile of a count", "QuerySeries", fmt.Sprintf(`{"pom":"goroutine.create","start":%q,"end":%q,"step":"1s","statistics":[{"kind":"KIND_QUANTILE","quantile":0.5}]}`, at(0), at(60)), "goroutine.create is a count"},
		{"a grid of a pause", "QueryGrid", `{"pom":"gc.stw"}`, "gc.stw, which has no goroutine grid"},
		{"a grid of a side of 3", "QueryGrid", fmt.Sprintf(`{"pom":"sched.latency","start":%q,"end":%q,"side":3}`, at(0), at(60)), "side is 3, must be 256, 512 or 1024"},
		{"values of nothing", "ListDimensionValues", `{"pom":"gc.stw"}`, `dimension is "", must be one of`},
		{"releases of ten years", "ListReleases", `{"start":"2016-11-24T00:00:00Z","end":"2026-11-22T00:00:00Z"}`, "range is 3650d, at most 7d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, answer := post(t, url, c.method, c.body)
			message := fmt.Sprint(answer["message"])
			if status != http.StatusBadRequest || answer["code"] != "invalid_argument" || !strings.Contains(message, c.want) {
				t.Errorf("got %d %v %q\nwant 400 invalid_argument %q", status, answer["code"], message, c.want)
			}
			if len(message) > 400 {
				t.Errorf("the error has %d bytes: what was sent is not echoed at any length", len(message))
			}
		})
	}
}

func TestAnAnswerThatWouldBeTooLargeIsNotMade(t *testing.T) {
	t.Run("groups", func(t *testing.T) {
		s := newServer(t)
		for i := range maxGroups + 1 {
			observe(s, heat.Key{POM: "sched.latency", Process: "7-70", Function: fmt.Sprintf("main.f%d", i)}, 1, 10)
		}
		url := loopback(t, s)
		ask := func(groupBy string) (int, map[string]any) {
			return post(t, url, "QueryHeat", fmt.Sprintf(`{"pom":"sched.latency","start":%q,"end":%q,"step":"1s","groupBy":[%s]}`, at(0), at(60), groupBy))
		}
		status, answer := ask(`"function"`)
		if status != http.StatusTooManyRequests || !strings.Contains(fmt.Sprint(answer["message"]), "group_by leads to 1001 series, at most 1000") {
			t.Errorf("got %d %v", status, answer)
		}
		if status, answer = ask(""); status != http.StatusOK {
			t.Errorf("ungrouped: got %d %v", status, answer)
		}
	})
	t.Run("columns with hits", func(t *testing.T) {
		s := newServer(t)
		for second := range 110 {
			pass(s, second)
			for i := range maxGroups {
				observe(s, heat.Key{POM: "sched.latency", Process: "7-70", Function: fmt.Sprintf("main.f%d", i)}, second, 10)
			}
		}
		status, answer := post(t, loopback(t, s), "QueryHeat", fmt.Sprintf(`{"pom":"sched.latency","start":%q,"end":%q,"step":"1s","groupBy":["function"]}`, at(0), at(110)))
		if status != http.StatusTooManyRequests || !strings.Contains(fmt.Sprint(answer["message"]), "over 100000 columns with hits in all series, at most 100000") {
			t.Errorf("got %d %.300v", status, answer)
		}
	})
	t.Run("points", func(t *testing.T) {
		s := newServer(t)
		for i := range maxGroups {
			observe(s, heat.Key{POM: "sched.latency", Process: fmt.Sprintf("%d-1", i)}, 1, 10)
			// Every process was watched for ten minutes.
			s.attendance.processes[fmt.Sprintf("%d-1", i)] = &attended{
				key:     heat.Key{Process: fmt.Sprintf("%d-1", i)},
				watched: map[string][]stay{"sched.latency": {{noon.Unix(), noon.Unix() + 600}}},
			}
		}
		pass(s, 620)
		status, answer := post(t, loopback(t, s), "QuerySeries", fmt.Sprintf(
			`{"pom":"sched.latency","start":%q,"end":%q,"step":"1s","groupBy":["process"],"statistics":[{"kind":"KIND_RATE"}]}`, at(0), at(600)))
		if status != http.StatusTooManyRequests || !strings.Contains(fmt.Sprint(answer["message"]), "over 500000 points, at most 500000") {
			t.Errorf("got %d %.300v", status, answer)
		}
	})
}

func TestABodyOverTheLimitIsNotRead(t *testing.T) {
	url := loopback(t, newServer(t))
	large := `{"pom":"` + strings.Repeat("x", maxBody) + `"}`
	for _, zip := range []bool{false, true} {
		body, write := io.Pipe()
		go func() {
			var to io.WriteCloser = write
			if zip {
				to = gzip.NewWriter(write)
			}
			io.WriteString(to, large)
			to.Close()
			write.Close()
		}()
		request, err := http.NewRequestWithContext(t.Context(), "POST", url+gothermpbconnect.AgentServiceQueryHeatProcedure, body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		if zip {
			request.Header.Set("Content-Encoding", "gzip")
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(content), strconv.Itoa(maxBody)) {
			t.Errorf("zipped %v: got %d %q, want resource_exhausted with %d", zip, response.StatusCode, content, maxBody)
		}
	}
}

func TestGarbageIsAnError(t *testing.T) {
	url := loopback(t, newServer(t))
	for name, c := range map[string]struct{ path, kind, body string }{
		"half of JSON":            {"/gotherm.v1.AgentService/QueryHeat", "application/json", `{"pom":`},
		"JSON of another type":    {"/gotherm.v1.AgentService/QueryHeat", "application/json", `{"pom":7}`},
		"a time that is none":     {"/gotherm.v1.AgentService/QueryHeat", "application/json", `{"start":"at noon"}`},
		"bytes that are no proto": {"/gotherm.v1.AgentService/QueryHeat", "application/proto", "\xff\xff\xff\xff"},
		"text that is not UTF-8":  {"/gotherm.v1.AgentService/QueryHeat", "application/json", "{\"pom\":\"\xff\xfe\"}"},
		"a form":                  {"/gotherm.v1.AgentService/QueryHeat", "application/x-www-form-urlencoded", "pom=gc.stw"},
		"no such method":          {"/gotherm.v1.AgentService/MeltDown", "application/json", `{}`},
		"no such path":            {"/../../etc/passwd", "application/json", `{}`},
		"a metric that is posted": {"/metrics", "text/plain", "x"},
	} {
		response, err := http.Post(url+c.path, c.kind, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode < 400 || response.StatusCode > 499 {
			t.Errorf("%s: got %s, want a 4xx", name, response.Status)
		}
	}
	// And bytes that are no HTTP.
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "\x16\x03\x01\x00\x00 hello \x00\r\n\r\n")
	_, _ = io.ReadAll(conn)
	if status, _ := post(t, url, "GetAgent", `{}`); status != http.StatusOK {
		t.Errorf("after the garbage the agent answers %d", status)
	}
}

func TestRequestsOverTheLimitAreTurnedAwayAndThenServed(t *testing.T) {
	s := newServer(t)
	url := loopback(t, s)
	for range maxRequests {
		leave, err := s.requests.enter()
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
	}
	for _, path := range []string{gothermpbconnect.AgentServiceGetAgentProcedure, "/metrics"} {
		method, body := "POST", `{}`
		if path == "/metrics" {
			method, body = "GET", ""
		}
		request, _ := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(content), "64 requests at once already, at most 64") {
			t.Errorf("%s: got %d %q", path, response.StatusCode, content)
		}
	}
	<-s.requests.slots
	if status, answer := post(t, url, "GetAgent", `{}`); status != http.StatusOK {
		t.Errorf("with room for one: got %d %v", status, answer)
	}
	s.requests.slots <- struct{}{}
}

func TestARequestGivesUpWhenItsTimeIsOver(t *testing.T) {
	s := newServer(t)
	for range maxWalks {
		s.walks <- struct{}{} // nobody gets to read heat
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.collect(ctx, heat.Request{POM: "gc.stw", From: noon, To: noon.Add(time.Minute), Step: time.Second})
	if connect.CodeOf(err) != connect.CodeDeadlineExceeded || !strings.Contains(err.Error(), "over 30s") {
		t.Errorf("got %v", err)
	}
}

func TestStreamsOverTheLimitAreTurnedAway(t *testing.T) {
	s := newServer(t)
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, loopback(t, s))
	for range maxStreams {
		leave, err := s.streams.enter()
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
	}
	stream, err := client.WatchHeat(t.Context(), connect.NewRequest(&gothermpb.WatchHeatRequest{Pom: "gc.stw", Step: durationpb.New(time.Second)}))
	if err == nil {
		defer stream.Close()
		if stream.Receive() {
			t.Fatal("a stream over the limit gets a column")
		}
		err = stream.Err()
	}
	if connect.CodeOf(err) != connect.CodeResourceExhausted || !strings.Contains(err.Error(), "64 streams at once already, at most 64") {
		t.Errorf("got %v", err)
	}
}
