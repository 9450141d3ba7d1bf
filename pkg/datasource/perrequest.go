package datasource

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// maxCounted is the longest time in which requests are counted second by
// second: agents keep no more of heat.
const maxCounted = time.Hour

// requestsIn counts the requests that processes answered while they were
// profiled, in whole seconds, without those for profiles. It is nil where
// nobody watched them, or watched less than half of that time, or there were none.
func (d *Datasource) requestsIn(ctx context.Context, windows []window) (*frames.Requests, *data.Notice) {
	processes := processesOf(windows)
	if len(processes) == 0 || len(d.agents) == 0 {
		return nil, nil
	}
	// profiled has the seconds of each process.
	profiled := map[string]map[int64]bool{}
	start, end := windows[0].from, windows[0].to
	wanted := 0
	for _, w := range windows {
		if !w.flow {
			return nil, nil
		}
		if profiled[w.process] == nil {
			profiled[w.process] = map[int64]bool{}
		}
		start = minTime(start, w.from)
		if w.to.After(end) {
			end = w.to
		}
		for s := w.from.Round(time.Second).Unix(); s < w.to.Round(time.Second).Unix(); s++ {
			profiled[w.process][s] = true
		}
	}
	for _, seconds := range profiled {
		wanted += len(seconds)
	}
	// Younger seconds are still being added to.
	start, end = aligned(start.Add(-time.Second), minTime(end, time.Now().Add(-settled)), time.Second)
	if wanted == 0 || !start.Before(end) || end.Sub(start) > maxCounted {
		return nil, nil
	}
	q := heatQuery{requests, []query.Matcher{{Dimension: "process", Values: processes}}, []string{"process"}, time.Second}
	// Of processes alone it is known when they were watched and had none.
	all, _, err := d.askHeat(ctx, q, start, end, true)
	if err != nil {
		return nil, nil
	}
	q.groupBy = []string{"process", "route"}
	byRoute, _, err := d.askHeat(ctx, q, start, end, false)
	if err != nil {
		return nil, nil
	}
	answered := frames.Requests{Of: wanted}
	counted := map[string]map[int64]bool{}
	for _, s := range all.series {
		process := s.Labels["process"]
		counted[process] = map[int64]bool{}
		for _, c := range s.Columns {
			if at := c.Start.Unix(); profiled[process][at] && !c.Start.Add(time.Second).After(end) {
				counted[process][at] = true
				answered.Seconds++
			}
		}
	}
	for _, s := range byRoute.series {
		if isOfProfiles(s.Labels["route"]) {
			continue
		}
		for _, c := range s.Columns {
			if counted[s.Labels["process"]][c.Start.Unix()] {
				answered.Count += c.Histogram().Count()
			}
		}
	}
	if answered.Count == 0 {
		return nil, nil
	}
	of := fmt.Sprintf("%d requests that were answered in the %d s that were profiled", answered.Count, wanted)
	if answered.Seconds < wanted {
		of = fmt.Sprintf("%d requests that were answered in %d of the %d s that were profiled", answered.Count, answered.Seconds, wanted)
	}
	if answered.Seconds*2 < wanted {
		notice := info("nothing is per request: only %s are known", of)
		return nil, &notice
	}
	notice := info("per request is of %s", of)
	return &answered, &notice
}

// isOfProfiles says whether a route is that of net/http/pprof: to be asked for
// a profile is no work of the program itself.
func isOfProfiles(route string) bool { return strings.Contains(route, "/debug/pprof/") }
