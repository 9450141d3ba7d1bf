package profile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	pprof "github.com/google/pprof/profile"
)

// Target is a program that serves net/http/pprof.
type Target struct {
	index *url.URL
	http  *http.Client
}

// NewTarget makes a target of the URL of its index page. The client brings what
// the target asks for: its certificates and headers. It is told here to follow
// no redirect to another host, where those would be sent too.
func NewTarget(index string, client *http.Client) (*Target, error) {
	u, err := url.Parse(strings.TrimRight(index, "/") + "/")
	if err != nil {
		return nil, fmt.Errorf("read the target's URL: %w", err)
	}
	own := *client
	own.CheckRedirect = stayThere
	return &Target{index: u, http: &own}, nil
}

// Close closes the connections that are idle.
func (t *Target) Close() { t.http.CloseIdleConnections() }

// maxRedirects is how often a target may send a request on.
const maxRedirects = 3

// redirected is the error for an answer that sends the request away.
type redirected struct{ error }

func stayThere(next *http.Request, via []*http.Request) error {
	first := via[0].URL
	if next.URL.Scheme != first.Scheme || next.URL.Host != first.Host {
		return redirected{fmt.Errorf("redirects to %s://%s, which is refused: configure the target with the URL that is meant", next.URL.Scheme, next.URL.Host)}
	}
	if len(via) > maxRedirects {
		return redirected{fmt.Errorf("redirects more than %d times", maxRedirects)}
	}
	return nil
}

// Busy is the error of a target that is being profiled already: a Go program
// takes one CPU profile at a time, and one execution trace.
type Busy struct{ said string }

func (b Busy) Error() string {
	return fmt.Sprintf("is being profiled already (%s): only one at a time can be. Ask again when the other is done, or look at what has been collected", b.said)
}

// Request says which profile to fetch.
type Request struct {
	// Type is one of those on the index page: "cpu", "heap" and so on.
	Type string
	// Seconds to collect for. Of other types than cpu it asks for what happened meanwhile; 0 for all there is.
	Seconds int
}

// Fetched is a profile as it came.
type Fetched struct {
	*pprof.Profile
	// Raw are the bytes of it.
	Raw []byte
	// From and To are when it was asked for, and had come.
	From, To time.Time
}

// Fetch collects a profile, for as long as the context allows. An error says
// what the target did; it is a [Busy] where another profile is under way.
func (t *Target) Fetch(ctx context.Context, r Request, limits Limits) (*Fetched, error) {
	from := time.Now()
	raw, err := t.Download(ctx, r, limits.Packed)
	if err != nil {
		return nil, err
	}
	// Memory that was freed meanwhile is less than none.
	limits.Signed = limits.Signed || r.Seconds > 0 && r.Type != CPU
	p, err := Parse(bytes.NewReader(raw), limits)
	if err != nil {
		return nil, err
	}
	return &Fetched{Profile: p, Raw: raw, From: from, To: time.Now()}, nil
}

// Download is [Target.Fetch] without reading what comes, which may be anything of at most so many bytes.
func (t *Target) Download(ctx context.Context, r Request, most int) ([]byte, error) {
	name := r.Type
	if name == CPU {
		name = "profile"
	}
	if name == "" || strings.ContainsAny(name, "/?#%") || name == "." || name == ".." {
		return nil, fmt.Errorf("profile type is %q, which is no name of one", r.Type)
	}
	asked := url.Values{}
	if r.Seconds > 0 {
		asked.Set("seconds", strconv.Itoa(r.Seconds))
	}
	return t.get(ctx, name, asked, most)
}

// maxIndex is how many bytes an index page may have.
const maxIndex = 1 << 20

// Index lists the profiles that the target serves.
func (t *Target) Index(ctx context.Context) ([]Served, error) {
	page, err := t.get(ctx, "", nil, maxIndex)
	if err != nil {
		return nil, err
	}
	return readIndex(bytes.NewReader(page))
}

func (t *Target) get(ctx context.Context, name string, asked url.Values, limit int) ([]byte, error) {
	answer, err := t.open(ctx, name, asked)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer, int64(limit)+1))
	if err != nil {
		return nil, t.failed(ctx, fmt.Errorf("ends in the middle: %w", err))
	}
	if len(body) > limit {
		return nil, fmt.Errorf("answers more than %d bytes, the most there may be", limit)
	}
	return body, nil
}

// open asks for what the target serves, and returns the body of its answer.
func (t *Target) open(ctx context.Context, name string, asked url.Values) (io.ReadCloser, error) {
	address := *t.index
	address.Path += name
	address.RawQuery = asked.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", address.Redacted(), err)
	}
	// So that whoever keeps a log of requests knows these from those of users.
	request.Header.Set("User-Agent", "gotherm")
	answer, err := t.http.Do(request)
	if err != nil {
		return nil, t.failed(ctx, err)
	}
	if answer.StatusCode != http.StatusOK {
		defer func() { _ = answer.Body.Close() }()
		return nil, refusal(answer, name)
	}
	return answer.Body, nil
}

// failed says why no answer came, without the URL: who asked has a name for the target.
func (t *Target) failed(ctx context.Context, err error) error {
	var away redirected
	if errors.As(err, &away) {
		return away
	}
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return errors.New("did not answer in time")
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err
	}
	return fmt.Errorf("does not answer: %w", err)
}

// maxSaid is how many bytes of a refusal are told.
const maxSaid = 200

// refusal tells what a target said instead of a profile.
func refusal(answer *http.Response, name string) error {
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxSaid)) // what there is of it
	said := strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "")), " ")
	switch {
	case answer.StatusCode == http.StatusInternalServerError && (strings.Contains(said, "already in use") || strings.Contains(said, "already enabled")):
		return Busy{said}
	case answer.StatusCode == http.StatusNotFound:
		return fmt.Errorf("does not serve %s: HTTP 404: %s", name, said)
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("refuses with HTTP %d: are its headers set? %s", answer.StatusCode, said)
	}
	return fmt.Errorf("answers with HTTP %d: %s", answer.StatusCode, said)
}
