package datasource

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	querierv1 "github.com/grafana/pyroscope/api/gen/proto/go/querier/v1"
	"github.com/grafana/pyroscope/api/gen/proto/go/querier/v1/querierv1connect"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
)

// asPyroscope makes the settings of a data source with a Pyroscope, how many seconds it has to answer, and headers for it.
func asPyroscope(t testing.TB, address string, seconds int, headers map[string]string) backend.DataSourceInstanceSettings {
	where := &query.Pyroscope{URL: address}
	secrets := map[string]string{}
	for name, value := range headers {
		where.Headers = append(where.Headers, name)
		secrets["pyroscope."+name] = value
	}
	spelt, err := json.Marshal(query.Settings{TimeoutSeconds: seconds, Pyroscope: where})
	if err != nil {
		t.Fatal(err)
	}
	return backend.DataSourceInstanceSettings{UID: "gotherm", JSONData: spelt, Updated: time.Unix(1, 0), DecryptedSecureJSONData: secrets}
}

const cpuType = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"

// lister says that there are CPU profiles of whatever it is asked for, to who is in a tenant.
type lister struct {
	querierv1connect.UnimplementedQuerierServiceHandler
	series []*typesv1.Series
}

func (l lister) Series(_ context.Context, asked *connect.Request[querierv1.SeriesRequest]) (*connect.Response[querierv1.SeriesResponse], error) {
	if asked.Header().Get("X-Scope-OrgID") != "kitchen" {
		return nil, connect.NewError(connect.CodeUnauthenticated, fmt.Errorf("no org id"))
	}
	return connect.NewResponse(&querierv1.SeriesResponse{LabelsSet: []*typesv1.Labels{{
		Labels: []*typesv1.LabelPair{{Name: profileTypeLabel, Value: cpuType}},
	}}}), nil
}

func (l lister) SelectSeries(context.Context, *connect.Request[querierv1.SelectSeriesRequest]) (*connect.Response[querierv1.SelectSeriesResponse], error) {
	return connect.NewResponse(&querierv1.SelectSeriesResponse{Series: l.series}), nil
}

// TestWhatAPyroscopeMayDoWrong has servers do it, each asked for a flame graph.
func TestWhatAPyroscopeMayDoWrong(t *testing.T) {
	merge := querierv1connect.QuerierServiceSelectMergeProfileProcedure
	packed := func() []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(make([]byte, 1<<20))
		_ = z.Close()
		return b.Bytes()
	}()
	for name, c := range map[string]struct {
		// answer is to all that is asked, or only to the profile where the lists are as they should be.
		answer  http.HandlerFunc
		lists   bool
		hasty   bool
		headers map[string]string
		says    string
	}{
		"asks for a token": {answer: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "who are you?", http.StatusUnauthorized)
		}, headers: map[string]string{"Authorization": "Bearer sesame"}, says: "refuses: 401 Unauthorized: see to pyroscope.headers"},
		"asks for a tenant": {lists: true, headers: map[string]string{"X-Scope-OrgID": "sesame"}, says: "refuses: no org id: see to pyroscope.headers"},
		"is none":           {answer: http.NotFound, says: "is pyroscope.url right? 404"},
		"is a web page": {answer: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<html>welcome</html>")
		}, says: "answers garbage: is it a Pyroscope?"},
		"sends away": {answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusTemporaryRedirect)
		}, says: "redirects to https://elsewhere.example, which is refused"},
		"is slow":          {answer: func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() }, hasty: true, says: "did not answer within 1s"},
		"is out of luck":   {answer: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) }, says: "does not answer: 503"},
		"answers too much": {lists: true, answer: withoutEnd, says: "answers more than there may be"},
		"answers a bomb": {lists: true, answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/proto")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed)
		}, says: `answers garbage`},
		"answers no profile": {lists: true, answer: saying("not a profile"), says: "answers garbage: read profile: not a profile"},
		// 250,001 samples, of two bytes each.
		"answers too many samples": {lists: true, answer: saying(strings.Repeat("\x12\x00", 250_001)), says: "samples: 250001 found, at most 250000"},
		"has none after all":       {lists: true, answer: saying(""), says: `there is no ` + cpuType + ` of {service_name="shop"} from`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			if c.answer != nil && !c.lists {
				mux.HandleFunc("/", c.answer)
			}
			if c.lists {
				mux.Handle(querierv1connect.NewQuerierServiceHandler(lister{}))
			}
			if c.lists && c.answer != nil {
				mux.HandleFunc(merge, c.answer)
			}
			server := httptest.NewServer(mux)
			defer server.Close()
			if c.headers == nil {
				c.headers = map[string]string{"X-Scope-OrgID": "kitchen"}
			}
			seconds := 30
			if c.hasty {
				seconds = 1
			}
			d := openWith(t, asPyroscope(t, server.URL, seconds, c.headers))
			q := query.Query{Kind: query.KindFlame, Profile: &query.Profile{Service: "shop"}}
			got := ask(t, d, dataQuery(t, q, lastTwoMinutes(time.Now())))
			if got.Error == nil || !strings.Contains(got.Error.Error(), c.says) || !strings.Contains(got.Error.Error(), "pyroscope ("+server.URL+")") {
				t.Fatalf("the error is %v, want it to say %q", got.Error, c.says)
			}
			if strings.Contains(got.Error.Error(), "sesame") {
				t.Errorf("the error tells a secret: %v", got.Error)
			}
			health, err := d.CheckHealth(t.Context(), &backend.CheckHealthRequest{})
			if err != nil || health.Status != backend.HealthStatusError || !c.lists && !strings.Contains(health.Message, c.says) {
				t.Errorf("health is %+v, %v, want it to say %q", health, err, c.says)
			}
		})
	}
}

func saying(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/proto")
		_, _ = io.WriteString(w, body)
	}
}

// withoutEnd writes for as long as somebody reads.
func withoutEnd(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/proto")
	for some := make([]byte, 1<<20); ; {
		if _, err := w.Write(some); err != nil {
			return
		}
	}
}

// TestPointsOfPyroscopeThatAreInNoColumn has series that fit no heat.
func TestPointsOfPyroscopeThatAreInNoColumn(t *testing.T) {
	now := time.Now().Truncate(time.Minute)
	for says, point := range map[string]*typesv1.Point{
		"has series at other times than those asked for":     {Timestamp: now.UnixMilli() + 17, Value: 1},
		"has series at other times than those asked for, su": {Timestamp: now.Add(time.Hour).UnixMilli() - 1, Value: 1},
		"answers garbage: a point of -1":                     {Timestamp: now.UnixMilli() - 1, Value: -1},
		"answers garbage: a point of 1e+300":                 {Timestamp: now.UnixMilli() - 1, Value: 1e300},
	} {
		server := httptest.NewServer(func() http.Handler {
			mux := http.NewServeMux()
			mux.Handle(querierv1connect.NewQuerierServiceHandler(lister{series: []*typesv1.Series{{Points: []*typesv1.Point{point}}}}))
			return mux
		}())
		d := openWith(t, asPyroscope(t, server.URL, 30, map[string]string{"X-Scope-OrgID": "kitchen"}))
		q := query.Query{Kind: query.KindProfileHeat, Profile: &query.Profile{Service: "shop", GroupBy: "label:route"}}
		got := ask(t, d, dataQuery(t, q, backend.TimeRange{From: now.Add(-10 * time.Minute), To: now}))
		if got.Error == nil || !strings.Contains(got.Error.Error(), says) {
			t.Errorf("the error is %v, want it to say %q", got.Error, says)
		}
		server.Close()
	}
}

func TestAQueryOfAServiceThatCannotBeRightIsToldByField(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked nevertheless") }))
	defer server.Close()
	with, without := openWith(t, asPyroscope(t, server.URL, 30, nil)), openWith(t, startProfiled(t).settings(t))
	for asked, says := range map[string]string{
		`"profile": {"service": "shop", "target": "shop"}`:                                                     `profile.service is "shop", and a target or process is named too`,
		`"profile": {"service": "shop", "seconds": 5}`:                                                         "profile.seconds is 5, which a service has not",
		`"profile": {"service": "shop", "label": "route"}`:                                                     `profile.label is "route", must be key=value`,
		`"profile": {"service": "shop", "label": "a-b=1"}`:                                                     `profile.label is of "a-b", which Pyroscope has no label of`,
		`"profile": {"service": "shop", "label": "a=("}`:                                                       "profile.label is no regular expression",
		`"profile": {"service": "shop", "function": "("}`:                                                      "profile.function is no regular expression",
		`"profile": {"service": "shop", "from": 5, "to": 4}`:                                                   "profile.from and to are",
		`"profile": {"service": "shop", "base": {}}`:                                                           "profile.base is what it is compared with",
		`"profile": {"service": "shop", "base": {"type": "heap"}}`:                                             "profile.base.type is heap",
		`"matchers": [{"dimension": "a}b", "values": ["c"]}], "profile": {"service": "shop"}`:                  `matchers[0].dimension is "a}b", which Pyroscope has no label of`,
		`"kind": "profile-heat", "profile": {"service": "shop", "base": {"from": 1, "to": 2}}`:                 "profile.base: profile-heat has none",
		`"kind": "profile-heat", "profile": {"service": "shop", "groupBy": "label:a b"}`:                       `profile.groupBy is of "a b", which Pyroscope has no label of`,
		`"kind": "profile-heat", "profile": {"service": "shop", "groupBy": "label:route", "function": "main"}`: `profile.function is "main", which labels of Pyroscope can't be told apart by`,
		`"profile": {"service": "shop", "base": {"target": "shop"}}, "matchers": []`:                           `profile.base.target is "shop", which the data source does not have`,
		`"matchers": [` + strings.Repeat(`{"dimension": "a"},`, 16) + `{}], "profile": {"service": "shop"}`:    "matchers: 17 found, at most 16",
	} {
		body := `{"kind": "flame", ` + asked + `}`
		q := backend.DataQuery{RefID: "A", TimeRange: lastTwoMinutes(time.Now()), JSON: []byte(body)}
		if got := ask(t, with, q); got.Error == nil || !strings.Contains(got.Error.Error(), says) {
			t.Errorf("%.100s: the error is %v, want it to say %q", asked, got.Error, says)
		}
	}
	q := dataQuery(t, query.Query{Kind: query.KindTop, Profile: &query.Profile{Service: "shop"}}, lastTwoMinutes(time.Now()))
	if got := ask(t, without, q); got.Error == nil || !strings.Contains(got.Error.Error(), "pyroscope: none is configured") {
		t.Errorf("without a Pyroscope the error is %v", got.Error)
	}
}

func TestAPyroscopeThatCannotBeRightIsToldByName(t *testing.T) {
	for settings, says := range map[string]string{
		`{}`:                              "pyroscope.url: ",
		`{"url": "http://10.0.0.7:4040"}`: "pyroscope.url: \"http://10.0.0.7:4040\" is plain http",
		`{"url": "http://10.0.0.7:4040", "headers": ["Authorization"]}`: "would send the token over plain http",
		`{"url": "https://host", "ca": "no"}`:                           "pyroscope.ca: no certificate",
		`{"url": "https://host", "headers": ["X-Empty"]}`:               `pyroscope.headers: "X-Empty" has no value`,
	} {
		_, err := readSettings(backend.DataSourceInstanceSettings{
			JSONData:                []byte(fmt.Sprintf(`{"pyroscope": %s}`, settings)),
			DecryptedSecureJSONData: map[string]string{"pyroscope.Authorization": "secret"},
		})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.120s: error is %v, want it to say %q", settings, err, says)
		}
	}
}
