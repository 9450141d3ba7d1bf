package instrument

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"testing"
	"time"
)

const (
	costStage = "map"
	costRoute = "GET /items/{id}"
)

// setRoute finds the labels of a route, sets them, and takes them off again.
func setRoute(r *http.Request) {
	outer := setOf(r.Context())
	pprof.SetGoroutineLabels(outer.with(label{key: LabelRoute, value: costRoute}).ctx)
	pprof.SetGoroutineLabels(outer.ctx)
}

// handSetRoute is the least that setRoute can be: the labels are at hand.
func handSetRoute(known context.Context) {
	pprof.SetGoroutineLabels(known)
	pprof.SetGoroutineLabels(context.Background())
}

// What is made by hand, so that it is made indeed.
var (
	handMade    context.Context
	handRequest *http.Request
)

// handStage is the least that a stage can be: labels at hand, a region, and a
// context that says which stage it is.
func handStage(ctx, known context.Context) {
	handMade = context.WithValue(ctx, setKey{}, none)
	region := trace.StartRegion(ctx, costStage)
	pprof.SetGoroutineLabels(known)
	region.End()
	pprof.SetGoroutineLabels(ctx)
}

// BenchmarkStagesAndRoutes measures stages, and labels of routes, next to the
// calls of the standard library that they can't do without, and to pprof.Do,
// which makes the labels anew each time. In a round each is run once, in random
// order, so that drift of the machine falls on all of them, and of the rounds the
// lower quartile counts: what else the machine does can only add. The control
// is the same thing twice.
func BenchmarkStagesAndRoutes(b *testing.B) {
	const rounds, times = 75, 20_000
	ctx := context.Background()
	atHand := pprof.WithLabels(ctx, pprof.Labels(LabelStage, costStage))
	request := httptest.NewRequest("GET", "/items/7", nil)
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	handler := Middleware(nothing, func(*http.Request) string { return costRoute }, nil)

	measured := map[string][]float64{}
	for range b.N {
		for range rounds {
			all := []struct {
				name string
				do   func()
			}{
				{"stage", func() { _, s := Stage(ctx, costStage); s.End() }},
				{"stage_attribute", func() { _, s := Stage(ctx, costStage, "partition", "3"); s.End() }},
				{"stage_runtime", func() { handStage(ctx, atHand) }},
				{"stage_pprof_do", func() {
					pprof.Do(ctx, pprof.Labels(LabelStage, costStage), func(ctx context.Context) { trace.WithRegion(ctx, costStage, func() {}) })
				}},
				{"stage_control", func() { handStage(ctx, atHand) }},
				{"route_labels", func() { setRoute(request) }},
				{"route_labels_runtime", func() { handSetRoute(atHand) }},
				{"middleware", func() { handler.ServeHTTP(nil, request) }},
				{"middleware_runtime", func() {
					handSetRoute(atHand)
					handRequest = request.WithContext(context.WithValue(ctx, setKey{}, none))
					nothing.ServeHTTP(nil, handRequest)
				}},
			}
			rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			for _, m := range all {
				began := time.Now()
				for range times {
					m.do()
				}
				measured[m.name] = append(measured[m.name], float64(time.Since(began).Nanoseconds())/times)
			}
		}
	}
	undisturbed := map[string]float64{}
	for name, all := range measured {
		slices.Sort(all)
		undisturbed[name] = all[len(all)/4]
	}
	for _, name := range []string{"stage", "stage_attribute", "stage_runtime", "route_labels", "route_labels_runtime", "middleware"} {
		fmt.Printf("%s_ns %.1f\n", name, undisturbed[name])
	}
	fmt.Printf("stage_over_runtime_ratio %.3f\n", undisturbed["stage"]/undisturbed["stage_runtime"])
	fmt.Printf("stage_over_pprof_do_ratio %.3f\n", undisturbed["stage"]/undisturbed["stage_pprof_do"])
	fmt.Printf("stage_aa_ratio %.3f\n", undisturbed["stage_control"]/undisturbed["stage_runtime"])
	fmt.Printf("route_labels_ratio %.3f\n", undisturbed["route_labels"]/undisturbed["route_labels_runtime"])
	fmt.Printf("middleware_over_runtime_ratio %.3f\n", undisturbed["middleware"]/undisturbed["middleware_runtime"])
	b.ReportMetric(0, "ns/op")
}
