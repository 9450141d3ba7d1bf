package datasource

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"golang.org/x/sync/errgroup"
)

// agent is one gotherm-agent and the connections to it.
type agent struct {
	name, url string
	timeout   time.Duration
	http      *http.Client
	api       gothermpbconnect.AgentServiceClient
	// gauges says of each name of the agent's catalogue whether it is a gauge.
	gauges sync.Map
}

func newAgent(s agentSettings, timeout time.Duration) (*agent, error) {
	var headers http.Header
	if s.token != "" {
		headers = http.Header{"Authorization": {"Bearer " + s.token}}
	}
	client, err := newClient(s.ca, headers, func(c *http.Client) {
		// An agent redirects nobody; following would take the token elsewhere.
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		c.Transport = cut{c.Transport}
	})
	if err != nil {
		return nil, err
	}
	return &agent{
		name: s.name, url: s.url, timeout: timeout, http: client,
		api: gothermpbconnect.NewAgentServiceClient(client, s.url, connect.WithReadMaxBytes(maxAnswer)),
	}, nil
}

func (a *agent) close() { a.http.CloseIdleConnections() }

// failure is why one agent gave no answer that can be used.
type failure struct {
	agent *agent
	err   error
	kind  failureKind
}

type failureKind uint8

const (
	// silent: nobody answered, or not in time.
	silent failureKind = iota
	// refused: the agent understood, and said no.
	refused
	// garbage: something answered, but not as an agent does. That is a mistake
	// in the settings or a defect, where the others may pass.
	garbage
)

func (f failure) Error() string {
	return fmt.Sprintf("agent %s (%s): %v", f.agent.name, f.agent.url, f.err)
}

func (f failure) Unwrap() error { return f.err }

// errGarbage marks an answer that breaks the API's promises.
type errGarbage struct{ error }

func (e errGarbage) Unwrap() error { return e.error }

func garbagef(format string, args ...any) error {
	return errGarbage{fmt.Errorf(format, args...)}
}

// failed sorts an error of a call into what the user can do about it.
func (a *agent) failed(err error) failure {
	var broken errGarbage
	if errors.As(err, &broken) {
		return failure{a, fmt.Errorf("answers garbage: %w", err), garbage}
	}
	var said *connect.Error
	if !errors.As(err, &said) {
		return failure{a, err, silent}
	}
	switch {
	case said.Code() == connect.CodeDeadlineExceeded:
		return failure{a, fmt.Errorf("did not answer within %s", a.timeout), silent}
	case connect.IsWireError(err):
		return failure{a, fmt.Errorf("refuses: %s", said.Message()), refused}
	case said.Code() == connect.CodeResourceExhausted:
		return failure{a, fmt.Errorf("answers more than %d MiB, the most there may be: ask for a shorter range or fewer series", maxAnswer>>20), refused}
	case said.Code() == connect.CodeUnavailable || said.Code() == connect.CodeCanceled:
		return failure{a, fmt.Errorf("does not answer: %s", said.Message()), silent}
	case said.Code() == connect.CodeUnauthenticated || said.Code() == connect.CodePermissionDenied:
		return failure{a, fmt.Errorf("refuses: %s: is its token set?", said.Message()), refused}
	default:
		return failure{a, fmt.Errorf("answers garbage: is it a gotherm-agent? %s", said.Message()), garbage}
	}
}

// answer is what one agent said.
type answer[T any] struct {
	agent *agent
	value T
}

// askAll asks all agents at once, each for at most its timeout, and returns
// what they said in the order of the agents. One that fails holds up nobody.
func askAll[T any](ctx context.Context, agents []*agent, ask func(context.Context, *agent) (T, error)) (answers []answer[T], failures []failure) {
	values := make([]T, len(agents))
	errs := make([]error, len(agents))
	// A plain group: its context would end the others' calls when one fails.
	var group errgroup.Group
	for i, a := range agents {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, a.timeout)
			defer cancel()
			values[i], errs[i] = ask(ctx, a)
			return nil
		})
	}
	_ = group.Wait() // errors are kept apart, by agent
	for i, a := range agents {
		if errs[i] != nil {
			failures = append(failures, a.failed(errs[i]))
			continue
		}
		answers = append(answers, answer[T]{a, values[i]})
	}
	return answers, failures
}
