package datasource

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// openedShop is a release of the example shop, running: a real one.
type openedShop struct {
	*os.Process
	// url is where customers come in, index where it serves its profiles.
	url, index string
}

// openShop runs a release of the example shop.
func openShop(t *testing.T, version string, tags ...string) openedShop {
	t.Helper()
	var output said
	shop := exec.Command(built(t, "examples/shop", tags...), "-listen", "127.0.0.1:0", "-metrics-listen", "127.0.0.1:0")
	shop.Env = append(os.Environ(), "OTEL_SERVICE_NAME=shop", "OTEL_RESOURCE_ATTRIBUTES=service.version="+version)
	shop.Stdout, shop.Stderr = &output, &output
	if err := shop.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = shop.Process.Signal(os.Interrupt)
		_ = shop.Wait()
		if t.Failed() {
			t.Logf("shop %s said:\n%s", version, output.String())
		}
	})
	addresses := regexp.MustCompile(`url=(http://127\.0\.0\.1:[1-9][0-9]*) metrics=(http://127\.0\.0\.1:[1-9][0-9]*)/`)
	waitFor(t, "shop "+version+" to open", func() bool { return addresses.MatchString(output.String()) })
	found := addresses.FindStringSubmatch(output.String())
	return openedShop{shop.Process, found[1], found[2] + "/debug/pprof/"}
}

// TestARealReleaseIsComparedWithTheOneBefore runs two releases of the shop at
// the same time, as while one is rolled out. The later seals its receipts with
// seven times the work, which its checkouts show and nothing else does.
func TestARealReleaseIsComparedWithTheOneBefore(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("attaching probes needs Linux and root")
	}
	before, since := openShop(t, "1.0.0"), openShop(t, "1.1.0", "release_1_1")
	settings := configured(t, 5, "here", startAgent(t, before.Pid, since.Pid))
	plugin := startPlugin(t)
	grafana := backend.PluginContext{PluginID: "gotherm-runtime-datasource", DataSourceInstanceSettings: &settings}
	asked := query.Query{Kind: query.KindCompare, POM: "http.request", GroupBy: []string{"route"}, Matchers: []query.Matcher{{Dimension: "service", Values: []string{"shop"}}}}
	compare := func() map[string]comparedFrames {
		return byRoute(t, askPlugin(t, plugin, grafana, asked))
	}

	// One request each, until both are seen: then the probes are attached.
	waitFor(t, "both shops to be watched", func() bool {
		sendLoad(t, before.url, "-requests", "1", "-mix", "report=1")
		sendLoad(t, since.url, "-requests", "1", "-mix", "report=1")
		report := compare()["GET /report"]
		return report.heat[0] > 0 && report.heat[1] > 0
	})
	if said := compare()["GET /report"].comparison; !strings.Contains(said.Refused, "too few blocks") || !strings.Contains(said.Refused, "wait for") {
		t.Errorf("after a few requests it says %q", said.Refused)
	}

	const requests = 2340
	var both sync.WaitGroup
	for _, url := range []string{before.url, since.url} {
		both.Go(func() {
			sendLoad(t, url, "-requests", fmt.Sprint(requests), "-rate", "130", "-connections", "4", "-mix", "products=1,checkout=1")
		})
	}
	both.Wait()
	var routes map[string]comparedFrames
	waitFor(t, "all requests", func() bool {
		routes = compare()
		return routes["GET /products"].heat[0]+routes["POST /checkout"].heat[0] == requests &&
			routes["GET /products"].heat[1]+routes["POST /checkout"].heat[1] == requests
	})

	checkout := routes["POST /checkout"].comparison
	t.Log(checkout.Words)
	if checkout.Refused != "" || !checkout.Paired || checkout.Baseline.Version != "1.0.0" || checkout.Candidate.Version != "1.1.0" {
		t.Fatalf("the comparison of checkouts is %+v", checkout)
	}
	if checkout.SignificantCells == 0 || checkout.Distance < 0.3 || *checkout.Candidate.P50 <= *checkout.Baseline.P50 {
		t.Errorf("checkouts became slower, which is not seen: %+v", checkout)
	}
	products := routes["GET /products"].comparison
	t.Log(products.Words)
	if products.Refused != "" || products.Distance > checkout.Distance/2 || products.SignificantCells > checkout.SignificantCells/2 {
		t.Errorf("products are as fast as they were, but: %+v", products)
	}
	if len(checkout.Baseline.GoVersions) != 1 || checkout.Baseline.GoVersions[0] != runtime.Version() {
		t.Errorf("built with %v, this test with %s", checkout.Baseline.GoVersions, runtime.Version())
	}
}

// comparedFrames are the three frames of one series: the hits of both arms, and what is said of them.
type comparedFrames struct {
	heat       [2]float64
	comparison frames.Comparison
}

func byRoute(t *testing.T, answer backend.DataResponse) map[string]comparedFrames {
	t.Helper()
	routes := map[string]comparedFrames{}
	for i := 0; i+2 < len(answer.Frames); i += 3 {
		f := answer.Frames[i+2]
		routes[f.Fields[3].Labels["route"]] = comparedFrames{
			[2]float64{frameCount(answer.Frames[i]), frameCount(answer.Frames[i+1])}, comparisonOf(t, f),
		}
	}
	return routes
}

// sendLoad sends requests as customers do, and waits until all are answered.
func sendLoad(t *testing.T, url string, arguments ...string) {
	if out, err := exec.Command(built(t, "examples/shop/load"), append(arguments, "-url", url)...).CombinedOutput(); err != nil {
		t.Errorf("load %v: %v\n%s", arguments, err, out)
	}
}
