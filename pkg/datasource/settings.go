package datasource

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

const (
	defaultTimeout = 10 * time.Second
	// tokenSecret and an agent's name are the name of the secret that holds its bearer token.
	tokenSecret = "token."
)

// settings is a data source's configuration that has passed all checks.
type settings struct {
	agents  []agentSettings
	targets []targetSettings
	// pyroscope is nil where none is configured.
	pyroscope *endpointSettings
	timeout   time.Duration
}

type agentSettings struct {
	name, url, ca, token string
}

// readSettings reads and checks the configuration. An error names the setting.
func readSettings(from backend.DataSourceInstanceSettings) (settings, error) {
	var model query.Settings
	if len(from.JSONData) > 0 {
		if err := json.Unmarshal(from.JSONData, &model); err != nil {
			return settings{}, fmt.Errorf("read settings: %w", err)
		}
	}
	result := settings{timeout: time.Duration(model.TimeoutSeconds) * time.Second}
	if result.timeout == 0 {
		result.timeout = defaultTimeout
	}
	if result.timeout < 0 || result.timeout > maxTimeout {
		return settings{}, fmt.Errorf("timeoutSeconds is %d, must be between 1 and %d", model.TimeoutSeconds, int(maxTimeout.Seconds()))
	}
	if len(model.Agents) == 0 && len(model.Targets) == 0 && model.Pyroscope == nil {
		return settings{}, errNoAgents
	}
	if err := atMost("agents", len(model.Agents), maxAgents, "use one data source for each group of agents"); err != nil {
		return settings{}, err
	}
	named := map[string]int{}
	for i, a := range model.Agents {
		field := fmt.Sprintf("agents[%d]", i)
		if a.Name == "" {
			return settings{}, fmt.Errorf("%s.name is empty: give each agent a name of its own", field)
		}
		if first, taken := named[a.Name]; taken {
			return settings{}, fmt.Errorf("%s.name is %q, as agents[%d].name is: give each agent a name of its own", field, a.Name, first)
		}
		named[a.Name] = i
		token := from.DecryptedSecureJSONData[tokenSecret+a.Name]
		address, err := checkURL(a.URL, token != "")
		if err != nil {
			return settings{}, fmt.Errorf("%s.url (%s): %w", field, a.Name, err)
		}
		if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return settings{}, fmt.Errorf("%s (%s): the token has white space or other characters that a header can't carry", field, a.Name)
		}
		if a.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(a.CA)) {
			return settings{}, fmt.Errorf("%s.ca (%s): no certificate in it: paste the PEM text that begins with -----BEGIN CERTIFICATE-----", field, a.Name)
		}
		result.agents = append(result.agents, agentSettings{name: a.Name, url: address, ca: a.CA, token: token})
	}
	var err error
	if result.targets, err = readTargets(model.Targets, from.DecryptedSecureJSONData); err != nil {
		return settings{}, err
	}
	result.pyroscope, err = readPyroscope(model.Pyroscope, from.DecryptedSecureJSONData)
	return result, err
}

// checkURL returns the URL without a slash at the end. Plain http leaves no
// machine: heat names code, and a token would be readable on the way.
func checkURL(address string, hasToken bool) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("%q is not a URL: %w", address, err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("%q has scheme %q, must be http or https, such as http://127.0.0.1:7117", address, u.Scheme)
	case u.Hostname() == "":
		return "", fmt.Errorf("%q has no host", address)
	case u.User != nil:
		return "", fmt.Errorf("%q has a user in it: tokens and headers are set apart from the URL", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("%q has a query or a fragment: give scheme, host and port only", address)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		if hasToken {
			return "", fmt.Errorf("%q would send the token over plain http to another machine: use https", address)
		}
		return "", fmt.Errorf("%q is plain http to another machine, which is for loopback only: use https", address)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
