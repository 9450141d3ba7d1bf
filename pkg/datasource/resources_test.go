package datasource

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// call makes a resource call as Grafana does, and reads its JSON.
func call[T any](t *testing.T, d *Datasource, path string, parameters url.Values) (status int, body T) {
	t.Helper()
	sender := backend.CallResourceResponseSenderFunc(func(r *backend.CallResourceResponse) error {
		status = r.Status
		if err := json.Unmarshal(r.Body, &body); err != nil {
			t.Errorf("%s answers %q: %v", path, r.Body, err)
		}
		return nil
	})
	err := d.CallResource(t.Context(), &backend.CallResourceRequest{
		PluginContext: shopContext, Method: http.MethodGet, Path: path, URL: path + "?" + parameters.Encode(),
	}, sender)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

func TestTheEditorsListsAreThoseOfAllAgents(t *testing.T) {
	now := time.Now()
	east, west := newShopAgent(now, "east-1"), newShopAgent(now, "west-1")
	d := open(t, "east", east.serve(t), "west", west.serve(t), "gone", deadURL(t))

	_, agents := call[query.AgentsAnswer](t, d, "agents", nil)
	if len(agents.Agents) != 3 || agents.Agents[1].Hostname != "west-1" || agents.Agents[2].Error == "" {
		t.Errorf("agents are %+v", agents)
	}
	_, processes := call[query.ProcessesAnswer](t, d, "processes", nil)
	if len(processes.Processes) != 4 || processes.Processes[0].Points[0].State != "firing" || processes.Processes[1].Refused != "Go 1.15 is too old" {
		t.Errorf("processes are %+v", processes)
	}
	if len(processes.Notices) != 1 || !strings.Contains(processes.Notices[0], "agent gone") {
		t.Errorf("notices are %q", processes.Notices)
	}
	_, points := call[query.PointsAnswer](t, d, "points", nil)
	if len(points.Points) != len(shopPoints) || points.Points[0].Name != "gc.stw" || !points.Points[1].OnDemand {
		t.Fatalf("points are %+v", points)
	}
	request, live := points.Points[2], points.Points[3]
	if !request.Exemplars || request.Gauge || !slices.Equal(request.Numbers, []string{"depth"}) {
		t.Errorf("a request is said to be %+v", request)
	}
	if !live.Gauge || live.Unit != "By" || live.Exemplars || len(live.Numbers) != 0 {
		t.Errorf("the live heap is said to be %+v", live)
	}
	if cost := processes.Processes[0].Cost; cost == nil || cost.Ratio != 0.008 || cost.Heat != "warm" || processes.Processes[1].Cost != nil {
		t.Errorf("watching costs %+v and %+v", cost, processes.Processes[1].Cost)
	}
	if shed := processes.Processes[0].Points[2]; shed.State != "shed" || shed.Reason == "" {
		t.Errorf("the shed point is %+v", shed)
	}
	_, dimensions := call[query.ValuesAnswer](t, d, "dimensions", url.Values{"pom": {"goroutine.create"}})
	if !slices.Equal(dimensions.Values, []string{"service", "version", "process", "function"}) {
		t.Errorf("dimensions are %q", dimensions.Values)
	}
}

func TestTemplateVariablesAreDistinctAndInOrder(t *testing.T) {
	now := time.Now()
	east, west := newShopAgent(now, "east"), newShopAgent(now, "west")
	west.stop(now, 10, time.Millisecond)
	d := open(t, "east", east.serve(t), "west", west.serve(t))
	for _, c := range []struct {
		asked url.Values
		want  []string
	}{
		{url.Values{"dimension": {"node"}, "pom": {"gc.stw"}}, []string{"0", "1", "10"}},
		{url.Values{"dimension": {"node"}, "pom": {"gc.stw"}, "matchers": {`[{"dimension":"service","values":["nobody"]}]`}}, []string{}},
		{url.Values{"dimension": {"service"}}, []string{"shop"}},
		{url.Values{"dimension": {"process"}, "pom": {"mem.heap.live"}}, []string{"42-1"}},
		{url.Values{"dimension": {"version"}, "matchers": {`[{"dimension":"service","values":["shop"]}]`}}, []string{"v2"}},
		{url.Values{"dimension": {"process"}, "matchers": {`[{"dimension":"version","values":["v1"]}]`}}, []string{}},
	} {
		status, got := call[query.ValuesAnswer](t, d, "values", c.asked)
		if status != http.StatusOK || !slices.Equal(got.Values, c.want) || got.Values == nil {
			t.Errorf("%v: HTTP %d, %q, want %q", c.asked, status, got.Values, c.want)
		}
	}
}

func TestBadParametersAreToldApartFromDeadAgents(t *testing.T) {
	d := open(t, "shop", newShopAgent(time.Now(), "shop").serve(t))
	dead := open(t, "gone", deadURL(t))
	for _, c := range []struct {
		d      *Datasource
		path   string
		asked  url.Values
		status int
		says   string
	}{
		{d, "dimensions", url.Values{"pom": {"nonsense"}}, http.StatusBadRequest, `pom is "nonsense"`},
		{d, "values", url.Values{"dimension": {"colour"}}, http.StatusBadRequest, `dimension is "colour"`},
		{d, "values", url.Values{"dimension": {"node"}}, http.StatusBadRequest, "pom is empty"},
		{d, "values", url.Values{"dimension": {"service"}, "matchers": {"{"}}, http.StatusBadRequest, "read matchers"},
		{d, "values", url.Values{"dimension": {"service"}, "from": {"yesterday"}}, http.StatusBadRequest, `from is "yesterday"`},
		{d, "values", url.Values{"dimension": {"service"}, "from": {"0"}}, http.StatusBadRequest, "at most 7d"},
		{dead, "points", nil, http.StatusBadGateway, "agent gone"},
		{dead, "values", url.Values{"dimension": {"service"}}, http.StatusBadGateway, "agent gone"},
	} {
		status, body := call[map[string]string](t, c.d, c.path, c.asked)
		if status != c.status || !strings.Contains(body["error"], c.says) {
			t.Errorf("%s %v: HTTP %d, %q", c.path, c.asked, status, body)
		}
	}
}
