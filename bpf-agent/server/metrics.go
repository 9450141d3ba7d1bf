package server

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// metrics serves /metrics: all heat since the agent's start, its accounting,
// what is watched, and the agent's own cost.
func (s *Server) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		newCollector(s),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: promLog{s},
		// What can be told is told: one bad series is no reason for a blind spot.
		ErrorHandling: promhttp.ContinueOnError,
	})
}

type promLog struct{ *Server }

func (l promLog) Println(v ...any) { l.Log.Error("serve /metrics", "err", v) }

// collector turns the head into metrics.
//
// A measurement point of durations is a native histogram in seconds, one of
// counts a counter, by process, reason and NUMA node; functions and CPUs are
// summed up, since each would be a series for ever. The buckets are those of
// package heat, which are Prometheus's own for schema 3, so nothing is moved:
// bucket 0 is the zero bucket (its threshold is 2^-23 s), bucket i has index
// [heat.FirstExponent] + i. Only the last, of all values over 128 s, has no
// upper bound there: it is given the next index, up to 140 s.
//
// A process that has ended stays for a farewell, so that its last hits are
// scraped, and then its series end, as those of any target that is gone. No
// series that stays ever goes down.
type collector struct {
	server *Server
	points []pointDesc

	gauges []gaugeDesc

	hits, carried, counted, coarse, info, state *prometheus.Desc
	cost, costTotal, budget, shed, run          *prometheus.Desc
	held, series, minutes, oldest               *prometheus.Desc

	collected, failed, profilesHeld, profilesDropped, profileCPU *prometheus.Desc
}

type gaugeDesc struct {
	probe.Gauge
	desc  *prometheus.Desc
	scale float64
}

// gaugeStale is how old the last value of a gauge may be.
const gaugeStale = 10 * time.Second

type pointDesc struct {
	probe.Point
	desc   *prometheus.Desc
	labels []string
}

// metricName is the name of a point in /metrics: gc.stw is gotherm_gc_stw_seconds.
func metricName(p probe.Point) string {
	name := "gotherm_" + strings.ReplaceAll(p.Name, ".", "_")
	if p.Unit == "ns" {
		return name + "_seconds"
	}
	return name + "_total"
}

func newCollector(s *Server) *collector {
	c := &collector{
		server:  s,
		hits:    prometheus.NewDesc("gotherm_hits_total", "Probe executions that were hits of a measurement point.", []string{"pom"}, nil),
		carried: prometheus.NewDesc("gotherm_hits_carried_total", "Hits that travelled to the agent as events.", []string{"pom"}, nil),
		counted: prometheus.NewDesc("gotherm_hits_counted_total", "Hits that were counted in the kernel. Carried and counted make all hits.", []string{"pom"}, nil),
		coarse:  prometheus.NewDesc("gotherm_hits_coarse_total", "Counted hits whose finer dimensions were given up because a map was full.", []string{"pom"}, nil),
		info: prometheus.NewDesc("gotherm_process_info", "A Go process that the agent sees; always 1.",
			[]string{"process", "service", "version", "revision", "modified", "go_version", "refused"}, nil),
		state: prometheus.NewDesc("gotherm_probe_state", "Whether a measurement point of a process is in a state: 1 or 0.",
			[]string{"process", "service", "version", "pom", "state"}, nil),
	}
	c.held = prometheus.NewDesc("gotherm_head_bytes", "Memory that the last hour of heat takes.", nil, nil)
	c.series = prometheus.NewDesc("gotherm_head_series", "Series that hits come in to.", nil, nil)
	c.minutes = prometheus.NewDesc("gotherm_head_minutes",
		"Minutes of heat, by the dimensions that are kept of them: all; those of the process, its nodes and reasons (places); those of the process, or of its release. Older minutes lose the finer ones for want of memory, and no hits.",
		[]string{"dimensions"}, nil)
	c.oldest = prometheus.NewDesc("gotherm_head_oldest_timestamp_seconds", "Time of the oldest second of heat that is remembered.", nil, nil)
	who := []string{"process", "service", "version"}
	c.cost = prometheus.NewDesc("gotherm_watching_cost_ratio", "What probes cost a process, as a share of the CPU time that it uses, over 5 s.", who, nil)
	c.costTotal = prometheus.NewDesc("gotherm_watching_cost_seconds_total", "CPU time that probes have cost a process since it is watched.", who, nil)
	c.budget = prometheus.NewDesc("gotherm_watching_budget_ratio", "What probes may cost a process, as a share of the CPU time that it uses.", nil, nil)
	c.shed = prometheus.NewDesc("gotherm_shed_points", "Measurement points that are detached to hold the cost of watching inside its budget.", who, nil)
	c.run = prometheus.NewDesc("gotherm_run_cost_seconds", "CPU time that one run of a program costs, as measured when the agent started.", []string{"site"}, nil)
	c.collected = prometheus.NewDesc("gotherm_profiles_collected_total", "Profiles that were collected of processes, by type.", []string{"type"}, nil)
	c.failed = prometheus.NewDesc("gotherm_profiles_failed_total", "Profiles that were not collected, or not kept, by reason.", []string{"reason"}, nil)
	c.profilesHeld = prometheus.NewDesc("gotherm_profiles_bytes", "Size of the profiles that are kept.", nil, nil)
	c.profilesDropped = prometheus.NewDesc("gotherm_profiles_dropped_total", "Profiles that were kept and dropped for others, or because of their age.", nil, nil)
	c.profileCPU = prometheus.NewDesc("gotherm_profiles_cpu_seconds_total", "Time for which processes took CPU profiles for the agent.", nil, nil)
	for _, g := range probe.Gauges {
		// These two are there under names that say whose cost it is.
		if g.Name == probe.WatchCost || g.Name == probe.WatchBudget {
			continue
		}
		d := gaugeDesc{Gauge: g, scale: 1}
		name := "gotherm_" + strings.ReplaceAll(g.Name, ".", "_")
		switch g.Unit {
		case "By":
			name += "_bytes"
		case "ns":
			name, d.scale = name+"_seconds", 1e-9
		}
		d.desc = prometheus.NewDesc(name, g.Help, who, nil)
		c.gauges = append(c.gauges, d)
	}
	for _, p := range probe.Catalogue {
		d := pointDesc{Point: p}
		for _, dim := range p.Dimensions {
			if dim != "function" && dim != "cpu" {
				d.labels = append(d.labels, dim)
			}
		}
		d.desc = prometheus.NewDesc(metricName(p), p.Help, d.labels, nil)
		c.points = append(c.points, d)
	}
	return c
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, p := range c.points {
		ch <- p.desc
	}
	for _, g := range c.gauges {
		ch <- g.desc
	}
	for _, d := range []*prometheus.Desc{c.hits, c.carried, c.counted, c.coarse, c.info, c.state, c.cost, c.costTotal, c.budget, c.shed, c.run, c.held, c.series, c.minutes, c.oldest,
		c.collected, c.failed, c.profilesHeld, c.profilesDropped, c.profileCPU} {
		ch <- d
	}
}

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, p := range c.points {
		c.heat(ch, p)
	}
	count := func(d *prometheus.Desc, n uint64, pom string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), pom)
	}
	accounting, err := c.server.Ingest.Accounting()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.hits, err)
		accounting = nil // half a figure is a wrong one
	}
	for _, a := range accounting {
		count(c.hits, a.Hits, a.POM)
		count(c.carried, a.Carried, a.POM)
		count(c.counted, a.Counted, a.POM)
		count(c.coarse, a.Coarse, a.POM)
	}
	c.holding(ch)
	c.running(ch)
	c.profiles(ch)
	for _, st := range c.server.Watcher.Processes() {
		p := describe(st)
		c.watching(ch, st)
		modified := "false"
		if p.Modified {
			modified = "true"
		}
		ch <- prometheus.MustNewConstMetric(c.info, prometheus.GaugeValue, 1,
			utf8(p.Id, p.Service, p.Version, p.Revision, modified, p.GoVersion, p.Refused)...)
		for _, pt := range st.Points {
			for _, state := range []probe.State{probe.Attached, probe.Firing, probe.Available, probe.Refused, probe.Shed} {
				is := 0.0
				if pt.State == state {
					is = 1
				}
				ch <- prometheus.MustNewConstMetric(c.state, prometheus.GaugeValue, is,
					utf8(p.Id, p.Service, p.Version, pt.Name, state.String())...)
			}
		}
	}
}

// holding sends what the head holds, and what it has dropped.
func (c *collector) holding(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	h := c.server.Head.Holding()
	gauge(c.held, float64(h.Bytes))
	gauge(c.series, float64(h.Series))
	gauge(c.minutes, float64(h.Fine), "all")
	gauge(c.minutes, float64(h.OfPlaces), "places")
	gauge(c.minutes, float64(h.OfProcess), "process")
	gauge(c.minutes, float64(h.OfRelease), "release")
	gauge(c.oldest, float64(c.server.Head.Oldest().Unix()))
}

// profiles sends what was collected, where profiles are.
func (c *collector) profiles(ch chan<- prometheus.Metric) {
	from := c.server.Profiles
	if from == nil {
		return
	}
	count := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
	}
	a := from.Account()
	for kind, n := range a.Collected {
		count(c.collected, float64(n), kind)
	}
	for reason, n := range a.Failed {
		count(c.failed, float64(n), reason)
	}
	_, bytes, dropped := from.Store().Holding()
	ch <- prometheus.MustNewConstMetric(c.profilesHeld, prometheus.GaugeValue, float64(bytes))
	count(c.profilesDropped, float64(dropped))
	count(c.profileCPU, a.CPU.Seconds())
}

// running sends what a run of a program costs, and what may be spent.
func (c *collector) running(ch chan<- prometheus.Metric) {
	costs := c.server.Pacer.Costs()
	for site, d := range map[string]time.Duration{
		"emulated": costs.Emulated, "stepped": costs.Stepped, "tracepoint": costs.Tracepoint, "sample": costs.Sample,
	} {
		ch <- prometheus.MustNewConstMetric(c.run, prometheus.GaugeValue, d.Seconds(), site)
	}
	ch <- prometheus.MustNewConstMetric(c.budget, prometheus.GaugeValue, float64(c.server.Pacer.Overall().Budget))
}

// watching sends what watching a process costs, what was shed for it, and its gauges.
func (c *collector) watching(ch chan<- prometheus.Metric, st probe.Status) {
	who := utf8(st.Process.ID, st.Process.Identity.Service, st.Process.Identity.Version)
	gauge := func(d *prometheus.Desc, value float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, who...)
	}
	if cost, ok := c.server.Pacer.Of(st.Process); ok {
		gauge(c.cost, cost.Ratio)
		ch <- prometheus.MustNewConstMetric(c.costTotal, prometheus.CounterValue, cost.Total.Seconds(), who...)
		shed := 0.0
		for _, pt := range st.Points {
			if pt.State == probe.Shed {
				shed++
			}
		}
		gauge(c.shed, shed)
	}
	for _, g := range c.gauges {
		value, at, ok := c.server.Gauges.Last(heat.GaugeKey{
			Name: g.Name, Process: st.Process.ID, Service: st.Process.Identity.Service, Version: st.Process.Identity.Version,
		})
		if ok && time.Since(at) < gaugeStale {
			gauge(g.desc, value*g.scale)
		}
	}
}

// heat sends the series of one point.
func (c *collector) heat(ch chan<- prometheus.Metric, p pointDesc) {
	now := time.Now()
	sums := map[heat.Key]*heat.Histogram{}
	c.server.Head.Cumulative(p.Name, func(k heat.Key, h *heat.Histogram) {
		if !c.server.attendance.present(k.Process, now) {
			return
		}
		k.Function, k.CPU = "", 0
		if sum := sums[k]; sum != nil {
			sum.Add(h)
		} else {
			sums[k] = h
		}
	})
	for k, h := range sums {
		values := make([]string, len(p.labels))
		for i, l := range p.labels {
			values[i] = k.Value(l)
		}
		values = utf8(values...)
		if p.Unit != "ns" {
			ch <- prometheus.MustNewConstMetric(p.desc, prometheus.CounterValue, float64(h.Count()), values...)
			continue
		}
		buckets := map[int]int64{}
		for i, n := range h.Counts[1:] {
			if n != 0 {
				buckets[heat.FirstExponent+i+1] = int64(n)
			}
		}
		m, err := prometheus.NewConstNativeHistogram(p.desc, h.Count(), float64(h.Sum)/1e9, buckets, nil,
			h.Counts[0], heat.Schema, heat.UpperSeconds(0), c.server.started, values...)
		if err != nil {
			m = prometheus.NewInvalidMetric(p.desc, err)
		}
		ch <- m
	}
}

// utf8 makes values fit for labels: a process may call itself anything.
func utf8(values ...string) []string {
	for i, v := range values {
		values[i] = strings.ToValidUTF8(v, "�")
	}
	return values
}
