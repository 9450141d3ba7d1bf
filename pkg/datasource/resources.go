package datasource

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// resources serves the lists of the editors and the values of template
// variables. The paths and their answers are told in query/answers.go.
func (d *Datasource) resources() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /agents", resource(func(r *http.Request) (any, error) {
		if d.broken != nil {
			return nil, badParameter{d.broken}
		}
		return query.AgentsAnswer{Agents: d.agentStates(r.Context())}, nil
	}))
	mux.Handle("GET /processes", resource(d.processes))
	mux.Handle("GET /points", resource(d.points))
	mux.Handle("GET /dimensions", resource(d.dimensions))
	mux.Handle("GET /values", resource(d.values))
	mux.Handle("GET /targets", resource(d.listTargets))
	mux.Handle("GET /services", resource(d.listServices))
	mux.Handle("GET /profiles", resource(d.listProfiles))
	return mux
}

// badParameter is an error that is the caller's.
type badParameter struct{ error }

// resource answers with JSON.
func resource(answer func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		body, err := answer(r)
		if err != nil {
			status := http.StatusBadGateway
			var bad badParameter
			if errors.As(err, &bad) {
				status = http.StatusBadRequest
			}
			w.WriteHeader(status)
			body = map[string]string{"error": err.Error()}
		}
		if err := json.NewEncoder(w).Encode(body); err != nil {
			backend.Logger.FromContext(r.Context()).Debug("Resource answer was not taken", "path", r.URL.Path, "error", err)
		}
	})
}

// fromAll asks all agents, and fails when none of them answers.
func fromAll[T any](ctx context.Context, d *Datasource, ask func(context.Context, *agent) (T, error)) (answers []answer[T], notices []string, err error) {
	if d.broken != nil {
		return nil, nil, badParameter{d.broken}
	}
	if len(d.agents) == 0 {
		return nil, nil, badParameter{errNoAgents}
	}
	answers, failures := askAll(ctx, d.agents, ask)
	for _, f := range failures {
		notices = append(notices, f.Error())
	}
	if len(answers) == 0 {
		return nil, nil, backend.DownstreamError(errors.New(strings.Join(notices, "; ")))
	}
	return answers, notices, nil
}

func (a *agent) listProcesses(ctx context.Context) ([]*pb.Process, error) {
	answer, err := a.api.ListProcesses(ctx, connect.NewRequest(&pb.ListProcessesRequest{}))
	if err != nil {
		return nil, err
	}
	return answer.Msg.Processes, nil
}

func (a *agent) listPoints(ctx context.Context) ([]*pb.MeasurementPoint, error) {
	answer, err := a.api.ListMeasurementPoints(ctx, connect.NewRequest(&pb.ListMeasurementPointsRequest{}))
	if err != nil {
		return nil, err
	}
	for _, p := range answer.Msg.Points {
		a.gauges.Store(p.Name, p.Gauge)
	}
	return answer.Msg.Points, nil
}

// isGauge says whether a name is that of a gauge. The catalogue is asked for
// once; one that does not have the name is asked for again, since the agent may be a newer one by then.
func (a *agent) isGauge(ctx context.Context, name string) (bool, error) {
	gauge, known := a.gauges.Load(name)
	if !known {
		if _, err := a.listPoints(ctx); err != nil {
			return false, err
		}
		gauge, known = a.gauges.Load(name)
	}
	return known && gauge.(bool), nil
}

func (d *Datasource) processes(r *http.Request) (any, error) {
	answers, notices, err := fromAll(r.Context(), d, func(ctx context.Context, a *agent) ([]*pb.Process, error) { return a.listProcesses(ctx) })
	if err != nil {
		return nil, err
	}
	result := query.ProcessesAnswer{Processes: []query.Process{}, Notices: notices}
	for _, a := range answers {
		for _, p := range a.value {
			result.Processes = append(result.Processes, query.Process{
				Agent: a.agent.name, Hostname: p.Hostname, ID: p.Id, PID: p.Pid, Executable: p.Executable, Service: p.Service,
				Version: p.Version, Revision: p.Revision, GoVersion: p.GoVersion, Container: p.Container, Unit: p.Unit,
				Refused: p.Refused, Points: processPoints(p.Points), Cost: costOf(p.Cost),
			})
		}
	}
	return result, nil
}

var states = map[pb.ProcessPoint_State]string{
	pb.ProcessPoint_STATE_UNSPECIFIED: "unknown",
	pb.ProcessPoint_STATE_ATTACHED:    "attached",
	pb.ProcessPoint_STATE_FIRING:      "firing",
	pb.ProcessPoint_STATE_AVAILABLE:   "available",
	pb.ProcessPoint_STATE_REFUSED:     "refused",
	pb.ProcessPoint_STATE_SHED:        "shed",
}

func costOf(c *pb.WatchingCost) *query.Cost {
	if c == nil {
		return nil
	}
	return &query.Cost{Ratio: c.Ratio, Budget: c.Budget, CPUs: c.Cpus, Heat: c.Heat}
}

func processPoints(points []*pb.ProcessPoint) []query.ProcessPoint {
	result := make([]query.ProcessPoint, len(points))
	for i, p := range points {
		result[i] = query.ProcessPoint{POM: p.Pom, State: cmp.Or(states[p.State], "unknown"), Reason: p.Reason, Hits: p.Hits}
	}
	return result
}

// catalogue returns the measurement points of all agents, by name. Agents of
// different versions may know different ones.
func (d *Datasource) catalogue(ctx context.Context) ([]query.Point, []string, error) {
	answers, notices, err := fromAll(ctx, d, func(ctx context.Context, a *agent) ([]*pb.MeasurementPoint, error) { return a.listPoints(ctx) })
	if err != nil {
		return nil, nil, err
	}
	byName := map[string]query.Point{}
	for _, a := range answers {
		for _, p := range a.value {
			if _, known := byName[p.Name]; !known {
				byName[p.Name] = query.Point{
					Name: p.Name, Unit: p.Unit, Tier: p.Tier, Help: p.Help, Dimensions: append([]string{}, p.Dimensions...), Numbers: numbersOf(p.Dimensions),
					OnDemand: p.OnDemand, Gauge: p.Gauge, Goroutines: p.Goroutines, Exemplars: len(p.Extra) > 0,
				}
			}
		}
	}
	points := []query.Point{}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		points = append(points, byName[name])
	}
	return points, notices, nil
}

// numbersOf returns those of some dimensions whose values are numbers.
func numbersOf(dimensions []string) []string {
	numbers := []string{}
	for _, d := range dimensions {
		if slices.Contains(heat.NumberDimensions, d) {
			numbers = append(numbers, d)
		}
	}
	return numbers
}

func (d *Datasource) points(r *http.Request) (any, error) {
	points, notices, err := d.catalogue(r.Context())
	if err != nil {
		return nil, err
	}
	return query.PointsAnswer{Points: points, Notices: notices}, nil
}

func (d *Datasource) dimensions(r *http.Request) (any, error) {
	pom := r.URL.Query().Get("pom")
	points, notices, err := d.catalogue(r.Context())
	if err != nil {
		return nil, err
	}
	for _, p := range points {
		if p.Name == pom {
			return query.ValuesAnswer{Values: append([]string{}, p.Dimensions...), Notices: notices}, nil
		}
	}
	return nil, badParameter{fmt.Errorf("pom is %q, which no agent that answers knows", pom)}
}

func (d *Datasource) values(r *http.Request) (any, error) {
	asked := r.URL.Query()
	dimension, pom := asked.Get("dimension"), asked.Get("pom")
	matchers, err := readMatchers(asked.Get("matchers"))
	if err != nil {
		return nil, badParameter{err}
	}
	from, to, err := readTimes(asked)
	if err != nil {
		return nil, badParameter{err}
	}
	if !slices.Contains(heat.Dimensions, dimension) {
		return nil, badParameter{fmt.Errorf("dimension is %q, must be one of %s", dimension, strings.Join(heat.Dimensions, ", "))}
	}
	if pom == "" && !slices.Contains(attachDimensions, dimension) {
		return nil, badParameter{fmt.Errorf("pom is empty, which dimension %q needs: only %s are known without", dimension, strings.Join(attachDimensions, ", "))}
	}
	answers, notices, err := fromAll(r.Context(), d, func(ctx context.Context, a *agent) ([]string, error) {
		gauge, err := a.isGauge(ctx, pom)
		if err != nil {
			return nil, err
		}
		if pom == "" || gauge {
			return a.processValues(ctx, dimension, matchers)
		}
		answer, err := a.api.ListDimensionValues(ctx, connect.NewRequest(&pb.ListDimensionValuesRequest{
			Pom: pom, Dimension: dimension, Matchers: onTheWire(matchers), Start: timestamppb.New(from), End: timestamppb.New(to),
		}))
		if err != nil {
			return nil, err
		}
		return answer.Msg.Values, nil
	})
	if err != nil {
		return nil, err
	}
	all := []string{}
	for _, a := range answers {
		all = append(all, a.value...)
	}
	slices.SortFunc(all, naturally)
	return query.ValuesAnswer{Values: slices.Compact(all), Notices: notices}, nil
}

// processValues returns what a dimension is for the processes that an agent watches.
func (a *agent) processValues(ctx context.Context, dimension string, matchers []query.Matcher) ([]string, error) {
	processes, err := a.listProcesses(ctx)
	if err != nil {
		return nil, err
	}
	var values []string
	for _, p := range processes {
		key := processKey(p)
		if v := key.Value(dimension); p.Refused == "" && v != "" && key.Matches(matchersOf(matchers)) {
			values = append(values, v)
		}
	}
	return values, nil
}

// naturally orders numbers by size, such as those of nodes and CPUs, and before text.
func naturally(a, b string) int {
	m, errA := strconv.Atoi(a)
	n, errB := strconv.Atoi(b)
	switch {
	case errA == nil && errB == nil:
		return cmp.Compare(m, n)
	case errA == nil:
		return -1
	case errB == nil:
		return 1
	}
	return cmp.Compare(a, b)
}

func readMatchers(text string) ([]query.Matcher, error) {
	if text == "" {
		return nil, nil
	}
	var matchers []query.Matcher
	if err := json.Unmarshal([]byte(text), &matchers); err != nil {
		return nil, fmt.Errorf("read matchers: %w", err)
	}
	return matchers, checkMatchers(matchers, heat.Dimensions)
}

func readTimes(asked url.Values) (from, to time.Time, err error) {
	to = time.Now()
	from = to.Add(-time.Hour)
	for name, t := range map[string]*time.Time{"from": &from, "to": &to} {
		text := asked.Get(name)
		if text == "" {
			continue
		}
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return from, to, fmt.Errorf("%s is %q, must be milliseconds since 1970", name, text)
		}
		*t = time.UnixMilli(ms)
	}
	if !from.Before(to) {
		return from, to, fmt.Errorf("to (%s) is not after from (%s)", clock(to), clock(from))
	}
	if to.Sub(from) > maxRange {
		return from, to, fmt.Errorf("from and to are %s apart, at most %s", days(to.Sub(from)), days(maxRange))
	}
	return from, to, nil
}
