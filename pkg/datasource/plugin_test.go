package datasource

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/workbench/pluginhost"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/live"
)

// binaries holds what the tests of this package have built.
var binaries string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "gotherm-datasource-test")
	if err != nil {
		log.Fatal(err)
	}
	binaries = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// built builds a command of this module, once, and returns its path.
func built(t *testing.T, command string, tags ...string) string {
	binary := filepath.Join(binaries, strings.Join(append(tags, filepath.Base(command)), "-"))
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	if out, err := exec.Command("go", "build", "-o", binary, "-tags", strings.Join(tags, ","), "github.com/gotherm/gotherm/"+command).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", command, err, out)
	}
	return binary
}

// startPlugin starts the binary that Grafana starts.
func startPlugin(t *testing.T) *pluginhost.Client {
	plugin, err := pluginhost.Start(built(t, "pkg"), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plugin.Close)
	return plugin
}

// TestTheBuiltBinaryAnswersGrafana tells the story of one panel, spoken to the
// real process over the plugin protocol.
func TestTheBuiltBinaryAnswersGrafana(t *testing.T) {
	plugin := startPlugin(t)
	now := time.Now()
	shop := newShopAgent(now, "shop-1")
	settings := configured(t, 2, "shop", shop.serve(t), "gone", deadURL(t))
	grafana := backend.PluginContext{PluginID: "gotherm-runtime-datasource", DataSourceInstanceSettings: &settings}

	health, err := plugin.CheckHealth(t.Context(), &backend.CheckHealthRequest{PluginContext: grafana})
	if err != nil || health.Status != backend.HealthStatusOk || !strings.Contains(health.Message, "1 of 2 agents answer") {
		t.Fatalf("health is %+v, %v", health, err)
	}

	values, err := plugin.CallResource(t.Context(), &backend.CallResourceRequest{
		PluginContext: grafana, Method: http.MethodGet, Path: "values", URL: "values?dimension=node&pom=gc.stw",
	})
	if err != nil || values.Status != http.StatusOK || !strings.Contains(string(values.Body), `"values":["0","1"]`) {
		t.Fatalf("the nodes are %+v, %v", values, err)
	}

	q := query.Query{Kind: query.KindHeatmap, POM: "gc.stw", Live: true}
	malformed := backend.DataQuery{RefID: "malformed", JSON: []byte(`{"kind": []}`), TimeRange: lastTwoMinutes(now)}
	answers, err := plugin.QueryData(t.Context(), &backend.QueryDataRequest{
		PluginContext: grafana, Queries: []backend.DataQuery{dataQuery(t, q, lastTwoMinutes(now)), malformed},
	})
	if err != nil {
		t.Fatal(err)
	}
	if bad := answers.Responses["malformed"]; bad.Error == nil || bad.Status != http.StatusBadRequest {
		t.Errorf("the malformed query is answered with %+v", bad)
	}
	heatmap := answers.Responses["A"]
	if heatmap.Error != nil || len(heatmap.Frames) != 1 {
		t.Fatalf("the heatmap is %+v", heatmap)
	}
	var panel viewer
	panel.see(t, heatmap.Frames[0])
	if hits := float64(shop.hits[0] + shop.hits[1]); panel.total() != hits {
		t.Errorf("%g hits on the panel, %g were hit", panel.total(), hits)
	}
	if notices := heatmap.Frames[0].Meta.Notices; len(notices) != 1 || !strings.Contains(notices[0].Text, "agent gone") {
		t.Errorf("notices are %+v", notices)
	}

	channel, err := live.ParseChannel(heatmap.Frames[0].Meta.Channel)
	if err != nil {
		t.Fatal(err)
	}
	subscribed, err := plugin.SubscribeStream(t.Context(), &backend.SubscribeStreamRequest{PluginContext: grafana, Path: channel.Path})
	if err != nil || subscribed.Status != backend.SubscribeStreamStatusOK {
		t.Fatalf("subscription is %+v, %v", subscribed, err)
	}
	streaming, stop := context.WithCancel(t.Context())
	defer stop()
	received := make(chan *data.Frame, 100)
	go func() {
		defer close(received)
		_ = plugin.RunStream(streaming, &backend.RunStreamRequest{PluginContext: grafana, Path: channel.Path}, func(packet json.RawMessage) error {
			var f data.Frame
			if err := json.Unmarshal(packet, &f); err != nil {
				return err
			}
			received <- &f
			return nil
		})
	}()
	waitFor(t, "the agent to be followed", func() bool { return shop.openStreams() == 1 })
	at := now.Truncate(time.Second)
	for second := range 3 {
		shop.stop(at.Add(time.Duration(second)*time.Second), 1, 2*time.Millisecond)
		shop.passTime(at.Add(time.Duration(second+1) * time.Second))
	}
	panel.until(t, received, float64(shop.hits[0]+shop.hits[1]))
	stop()
	waitFor(t, "the agent to be left alone", func() bool { return shop.openStreams() == 0 })

	plugin.Close()
	restarted := startPlugin(t)
	stale, err := restarted.SubscribeStream(t.Context(), &backend.SubscribeStreamRequest{PluginContext: grafana, Path: channel.Path})
	if err != nil || stale.Status != backend.SubscribeStreamStatusNotFound {
		t.Errorf("after a restart the old channel is %+v, %v", stale, err)
	}
}

func TestWrongSettingsLeaveTheProcessUp(t *testing.T) {
	plugin := startPlugin(t)
	wrong := backend.DataSourceInstanceSettings{UID: "gotherm", JSONData: []byte(`{"agents":[{"name":"a","url":"http://10.1.2.3:7117"}]}`)}
	health, err := plugin.CheckHealth(t.Context(), &backend.CheckHealthRequest{PluginContext: backend.PluginContext{DataSourceInstanceSettings: &wrong}})
	if err != nil || health.Status != backend.HealthStatusError || !strings.Contains(health.Message, "use https") {
		t.Errorf("health is %+v, %v", health, err)
	}
	if plugin.Exited() {
		t.Error("the process has ended")
	}
}
