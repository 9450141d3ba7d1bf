package datasource

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/backend/httpclient"
)

// newClient makes an HTTP client that sends these headers, and checks
// certificates against that of a CA where one is given. The timeout is of each
// call's context: one for the client would cut streams.
func newClient(ca string, headers http.Header, configure func(*http.Client)) (*http.Client, error) {
	timeouts := httpclient.DefaultTimeoutOptions
	timeouts.Timeout = 0
	options := httpclient.Options{Timeouts: &timeouts, Header: headers}
	if configure != nil {
		options.ConfigureClient = func(_ httpclient.Options, c *http.Client) { configure(c) }
	}
	if ca != "" {
		options.TLS = &httpclient.TLSOptions{CACertificate: ca}
	}
	client, err := httpclient.New(options)
	if err != nil {
		return nil, fmt.Errorf("make HTTP client: %w", err)
	}
	return client, nil
}

// cut ends an answer that is longer than one may be. Connect reads to the end of
// it otherwise, to say how long it is, and so for the whole timeout when there is no end.
type cut struct{ next http.RoundTripper }

func (c cut) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := c.next.RoundTrip(r)
	// A stream has no length; each of its messages is held to the limit by Connect.
	if err == nil && !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/connect+") {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxAnswer+1), answer.Body}
	}
	return answer, err
}

// CloseIdleConnections is for [http.Client].
func (c cut) CloseIdleConnections() {
	idle := http.Client{Transport: c.next}
	idle.CloseIdleConnections()
}
