package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/gotherm/gotherm/pkg/datasource/query"
)

const (
	// maxBody limits the body of a request, in bytes.
	maxBody = 1 << 20
	// maxQueries limits the queries of one request.
	maxQueries = 100
	// askTimeout limits one call to the plugin.
	askTimeout = 60 * time.Second

	dataSourceID  = "gotherm-runtime-datasource"
	dataSourceUID = "gotherm"
)

// source is the one data source of the workbench, as the plugin gets to know it.
type source struct {
	settings backend.DataSourceInstanceSettings
}

// newSource returns a data source of one agent.
func newSource(agent string) (*source, error) {
	settings, err := json.Marshal(query.Settings{Agents: []query.Agent{{Name: "local", URL: agent}}})
	if err != nil {
		return nil, err
	}
	return &source{settings: backend.DataSourceInstanceSettings{
		ID: 1, UID: dataSourceUID, Type: dataSourceID, Name: "gotherm",
		JSONData: settings, DecryptedSecureJSONData: map[string]string{}, Updated: time.Now(),
	}}, nil
}

func (s *source) context() backend.PluginContext {
	settings := s.settings
	return backend.PluginContext{PluginID: dataSourceID, DataSourceInstanceSettings: &settings}
}

// api answers what a panel and an editor ask the data source.
type api struct {
	plugin *keeper
	source *source
}

// queryBody is the body of Grafana's /api/ds/query: queries of any model, and
// the range in milliseconds since the epoch, as text.
type queryBody struct {
	From    string            `json:"from"`
	To      string            `json:"to"`
	Queries []json.RawMessage `json:"queries"`
}

// queryFrame is what Grafana itself reads of each query.
type queryFrame struct {
	RefID         string `json:"refId"`
	QueryType     string `json:"queryType"`
	IntervalMS    int64  `json:"intervalMs"`
	MaxDataPoints int64  `json:"maxDataPoints"`
}

func (a *api) query(w http.ResponseWriter, r *http.Request) {
	var body queryBody
	if err := readJSON(w, r, &body); err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	queries, err := body.dataQueries()
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	plugin, err := a.plugin.plugin()
	if err != nil {
		refuse(w, http.StatusBadGateway, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	results, err := plugin.QueryData(ctx, &backend.QueryDataRequest{PluginContext: a.source.context(), Queries: queries})
	if err != nil {
		refuse(w, http.StatusBadGateway, fmt.Errorf("query the plugin: %w", err))
		return
	}
	status := http.StatusOK
	for _, result := range results.Responses {
		if result.Error != nil {
			status = http.StatusMultiStatus
		}
	}
	answer(w, status, results)
}

func (b *queryBody) dataQueries() ([]backend.DataQuery, error) {
	from, err := milliseconds("from", b.From)
	if err != nil {
		return nil, err
	}
	to, err := milliseconds("to", b.To)
	if err != nil {
		return nil, err
	}
	if n := len(b.Queries); n < 1 || n > maxQueries {
		return nil, fmt.Errorf("queries has %d, must have 1 to %d", n, maxQueries)
	}
	seen := map[string]bool{}
	queries := make([]backend.DataQuery, len(b.Queries))
	for i, model := range b.Queries {
		// What a query leaves out is as Grafana has it.
		q := queryFrame{IntervalMS: 1000, MaxDataPoints: 100}
		if err := json.Unmarshal(model, &q); err != nil {
			return nil, fmt.Errorf("queries[%d]: %w", i, err)
		}
		if q.RefID == "" || seen[q.RefID] {
			return nil, fmt.Errorf("queries[%d].refId is %q, must be one that no other query has", i, q.RefID)
		}
		seen[q.RefID] = true
		queries[i] = backend.DataQuery{
			RefID: q.RefID, QueryType: q.QueryType, MaxDataPoints: q.MaxDataPoints,
			Interval:  time.Duration(q.IntervalMS) * time.Millisecond,
			TimeRange: backend.TimeRange{From: from, To: to},
			JSON:      model,
		}
	}
	return queries, nil
}

func milliseconds(field, text string) (time.Time, error) {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s is %q, must be milliseconds since the epoch, as text", field, text)
	}
	return time.UnixMilli(ms), nil
}

// health is CheckHealth's answer and the state of the process that gave it.
type health struct {
	// Status is OK, ERROR or UNKNOWN.
	Status  string          `json:"status"`
	Message string          `json:"message"`
	Details json.RawMessage `json:"details,omitempty"`
	Plugin  pluginState     `json:"plugin"`
}

func (a *api) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	h := health{Status: backend.HealthStatusError.String(), Plugin: a.plugin.state()}
	plugin, err := a.plugin.plugin()
	if err != nil {
		h.Message = err.Error()
		answer(w, http.StatusOK, h)
		return
	}
	result, err := plugin.CheckHealth(ctx, &backend.CheckHealthRequest{PluginContext: a.source.context()})
	if err != nil {
		h.Message = fmt.Sprintf("ask the plugin for its health: %v", err)
		answer(w, http.StatusOK, h)
		return
	}
	h.Status, h.Message = result.Status.String(), result.Message
	if json.Valid(result.JSONDetails) {
		h.Details = result.JSONDetails
	}
	answer(w, http.StatusOK, h)
}

func (a *api) resource(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		err = tooLarge(err)
		refuse(w, statusOf(err), err)
		return
	}
	plugin, err := a.plugin.plugin()
	if err != nil {
		refuse(w, http.StatusBadGateway, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	path := r.PathValue("path")
	target := (&url.URL{Path: path, RawQuery: r.URL.RawQuery}).String()
	result, err := plugin.CallResource(ctx, &backend.CallResourceRequest{
		PluginContext: a.source.context(), Path: path, Method: r.Method, URL: target, Body: body,
		Headers: map[string][]string{"Content-Type": r.Header.Values("Content-Type")},
	})
	if err != nil {
		refuse(w, http.StatusBadGateway, fmt.Errorf("call resource %s of the plugin: %w", path, err))
		return
	}
	for name, values := range result.Headers {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(result.Status)
	_, _ = w.Write(result.Body)
}

var errTooLarge = fmt.Errorf("the body is over %d bytes", maxBody)

func tooLarge(err error) error {
	var limit *http.MaxBytesError
	if errors.As(err, &limit) {
		return errTooLarge
	}
	return fmt.Errorf("read the body: %w", err)
}

func statusOf(err error) int {
	if errors.Is(err, errTooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return tooLarge(err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("the body is not what it must be: %w", err)
	}
	return nil
}
