package datasource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	querierv1 "github.com/grafana/pyroscope/api/gen/proto/go/querier/v1"
	"github.com/grafana/pyroscope/api/gen/proto/go/querier/v1/querierv1connect"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
	"google.golang.org/protobuf/proto"
)

// The labels of Pyroscope that are always there.
const (
	serviceLabel     = "service_name"
	profileTypeLabel = "__profile_type__"
)

// pyroscope is a Pyroscope server, which keeps the profiles of services.
type pyroscope struct {
	url     string
	timeout time.Duration
	http    *http.Client
	api     querierv1connect.QuerierServiceClient
	// merge is the API's SelectMergeProfile. The answer is a profile in the
	// format of profile.proto, which package profile reads within its limits: it
	// is taken as it comes.
	merge *connect.Client[querierv1.SelectMergeProfileRequest, wire]
}

func newPyroscope(s endpointSettings, timeout time.Duration) (*pyroscope, error) {
	client, err := newClient(s.ca, s.headers, func(c *http.Client) {
		c.CheckRedirect = refuseRedirect
		c.Transport = cut{c.Transport}
	})
	if err != nil {
		return nil, err
	}
	// Nothing is asked for packed: what it unpacks to would be read to the end.
	plain := connect.WithAcceptCompression("gzip", nil, nil)
	return &pyroscope{
		url: s.url, timeout: timeout, http: client,
		api: querierv1connect.NewQuerierServiceClient(client, s.url, plain, connect.WithReadMaxBytes(maxList)),
		merge: connect.NewClient[querierv1.SelectMergeProfileRequest, wire](client, s.url+querierv1connect.QuerierServiceSelectMergeProfileProcedure,
			plain, connect.WithReadMaxBytes(maxAnswer), connect.WithCodec(wireCodec{})),
	}, nil
}

func (p *pyroscope) close() { p.http.CloseIdleConnections() }

// redirected is the error for an answer that sends the request away, where headers would be sent too.
type redirected struct{ error }

func refuseRedirect(next *http.Request, _ []*http.Request) error {
	return redirected{fmt.Errorf("redirects to %s://%s, which is refused: configure the URL that is meant", next.URL.Scheme, next.URL.Host)}
}

// wire is a message as it came.
type wire []byte

// wireCodec spells messages that are asked, and leaves answers as they are.
type wireCodec struct{}

func (wireCodec) Name() string { return "proto" }

func (wireCodec) Marshal(message any) ([]byte, error) {
	m, is := message.(proto.Message)
	if !is {
		return nil, fmt.Errorf("%T is no protobuf message", message)
	}
	return proto.Marshal(m)
}

func (wireCodec) Unmarshal(body []byte, into any) error {
	w, is := into.(*wire)
	if !is {
		return fmt.Errorf("%T does not take bytes", into)
	}
	*w = bytes.Clone(body)
	return nil
}

// asks makes one call, for as long as one may take.
func asks[Q, A any](ctx context.Context, p *pyroscope, call func(context.Context, *connect.Request[Q]) (*connect.Response[A], error), asked *Q) (*A, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	answer, err := call(ctx, connect.NewRequest(asked))
	if err != nil {
		return nil, p.failed(err)
	}
	return answer.Msg, nil
}

// failed tells what Pyroscope did, and which setting may be why.
func (p *pyroscope) failed(err error) error {
	return fmt.Errorf("pyroscope (%s): %w", p.url, p.told(err))
}

func (p *pyroscope) told(err error) error {
	var away redirected
	if errors.As(err, &away) {
		return away
	}
	var said *connect.Error
	if !errors.As(err, &said) {
		return err
	}
	switch message := said.Message(); {
	case said.Code() == connect.CodeDeadlineExceeded:
		return fmt.Errorf("did not answer within %s", p.timeout)
	case said.Code() == connect.CodeUnauthenticated || said.Code() == connect.CodePermissionDenied:
		return fmt.Errorf("refuses: %s: see to pyroscope.headers, such as Authorization, or X-Scope-OrgID for a tenant", message)
	case connect.IsWireError(err):
		return fmt.Errorf("refuses: %s", message)
	case said.Code() == connect.CodeResourceExhausted:
		return fmt.Errorf("answers more than there may be: ask for a shorter range (%s)", message)
	case said.Code() == connect.CodeUnimplemented:
		return fmt.Errorf("does not serve Pyroscope's API there: is pyroscope.url right? %s", message)
	case said.Code() == connect.CodeUnavailable || said.Code() == connect.CodeCanceled:
		var asked *url.Error
		if errors.As(err, &asked) {
			return fmt.Errorf("does not answer: %w", asked.Err)
		}
		return fmt.Errorf("does not answer: %s", message)
	default:
		return fmt.Errorf("answers garbage: is it a Pyroscope? %s", message)
	}
}

// services lists the services of which there are profiles in a range, ascending.
func (p *pyroscope) services(ctx context.Context, from, to time.Time) ([]string, error) {
	answer, err := asks(ctx, p, p.api.LabelValues, &typesv1.LabelValuesRequest{Name: serviceLabel, Start: from.UnixMilli(), End: to.UnixMilli()})
	if err != nil {
		return nil, err
	}
	return slices.Sorted(slices.Values(answer.Names)), nil
}

// types lists what is kept of a service in a range, ascending.
func (p *pyroscope) types(ctx context.Context, service string, from, to time.Time) ([]storedType, error) {
	answer, err := asks(ctx, p, p.api.Series, &querierv1.SeriesRequest{
		Matchers: []string{selectorOf(labelMatcher{serviceLabel, "=", service})}, LabelNames: []string{profileTypeLabel},
		Start: from.UnixMilli(), End: to.UnixMilli(),
	})
	if err != nil {
		return nil, err
	}
	byID := map[string]storedType{}
	for _, set := range answer.LabelsSet {
		for _, l := range set.GetLabels() {
			if l.GetName() != profileTypeLabel {
				continue
			}
			t, err := readStoredType(l.GetValue())
			if err != nil {
				return nil, p.failed(fmt.Errorf("answers garbage: %w", err))
			}
			byID[t.id] = t
		}
	}
	var types []storedType
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		types = append(types, byID[id])
	}
	return types, nil
}

// health says whether Pyroscope answers, and what it has.
func (p *pyroscope) health(ctx context.Context) (answers bool, line string) {
	services, err := p.services(ctx, time.Now().Add(-time.Hour), time.Now())
	if err != nil {
		return false, err.Error() + "."
	}
	return true, fmt.Sprintf("Pyroscope answers. Services with profiles in the last hour: %d.", len(services))
}

var errNoPyroscope = errors.New("pyroscope: none is configured: add its URL, such as http://127.0.0.1:4040")

// listServices answers the resource services.
func (d *Datasource) listServices(r *http.Request) (any, error) {
	if d.broken != nil {
		return nil, badParameter{d.broken}
	}
	from, to, err := readTimes(r.URL.Query())
	if err != nil {
		return nil, badParameter{err}
	}
	if d.pyroscope == nil {
		return query.ValuesAnswer{Values: []string{}}, nil
	}
	services, err := d.pyroscope.services(r.Context(), from, to)
	if err != nil {
		return nil, err
	}
	return query.ValuesAnswer{Values: append([]string{}, services...)}, nil
}

// listStored answers the resource profiles where it is asked for a service.
func (d *Datasource) listStored(ctx context.Context, asked url.Values) (any, error) {
	from, to, err := readTimes(asked)
	if err != nil {
		return nil, badParameter{err}
	}
	if d.pyroscope == nil {
		return nil, badParameter{errNoPyroscope}
	}
	types, err := d.pyroscope.types(ctx, asked.Get("service"), from, to)
	if err != nil {
		return nil, err
	}
	answer := query.ProfilesAnswer{Profiles: []query.ProfileType{}}
	for _, t := range types {
		answer.Profiles = append(answer.Profiles, query.ProfileType{Type: t.id})
	}
	return answer, nil
}

// labelMatcher is one of a label selector, as PromQL has it.
type labelMatcher struct{ label, operator, value string }

func selectorOf(matchers ...labelMatcher) string {
	var all []string
	for _, m := range matchers {
		all = append(all, fmt.Sprintf("%s%s%q", m.label, m.operator, m.value))
	}
	return "{" + strings.Join(all, ",") + "}"
}
