package datasource

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"golang.org/x/net/http/httpguts"
)

// headerSecret, a target's name, a dot and a header's name are the name of the secret that holds the header's value.
const headerSecret = "header."

type targetSettings struct {
	name, url, ca string
	headers       http.Header
}

// readTargets reads and checks the targets. An error names the setting.
func readTargets(model []query.Target, secrets map[string]string) ([]targetSettings, error) {
	if err := atMost("targets", len(model), maxTargets, "use one data source for each group of targets"); err != nil {
		return nil, err
	}
	var result []targetSettings
	named := map[string]int{}
	for i, t := range model {
		field := fmt.Sprintf("targets[%d]", i)
		if t.Name == "" {
			return nil, fmt.Errorf("%s.name is empty: give each target a name of its own", field)
		}
		if first, taken := named[t.Name]; taken {
			return nil, fmt.Errorf("%s.name is %q, as targets[%d].name is: give each target a name of its own", field, t.Name, first)
		}
		named[t.Name] = i
		headers, err := readHeaders(t, secrets)
		if err != nil {
			return nil, fmt.Errorf("%s.headers (%s): %w", field, t.Name, err)
		}
		address, err := checkURL(t.URL, len(headers) > 0)
		if err != nil {
			return nil, fmt.Errorf("%s.url (%s): %w", field, t.Name, err)
		}
		if t.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(t.CA)) {
			return nil, fmt.Errorf("%s.ca (%s): no certificate in it: paste the PEM text that begins with -----BEGIN CERTIFICATE-----", field, t.Name)
		}
		result = append(result, targetSettings{name: t.Name, url: address, ca: t.CA, headers: headers})
	}
	return result, nil
}

// readHeaders puts the headers of a target together with their values. An error tells no value.
func readHeaders(t query.Target, secrets map[string]string) (http.Header, error) {
	if err := atMost("headers", len(t.Headers), maxHeaders, "send fewer"); err != nil {
		return nil, err
	}
	headers := http.Header{}
	for _, name := range t.Headers {
		value := secrets[headerSecret+t.Name+"."+name]
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			return nil, fmt.Errorf("%q is no name of a header", name)
		case strings.EqualFold(name, "Host"):
			return nil, fmt.Errorf("%q is made of the URL", name)
		case headers.Get(name) != "":
			return nil, fmt.Errorf("%q is there twice", name)
		case value == "":
			return nil, fmt.Errorf("%q has no value: set it, or take the header out", name)
		case !httpguts.ValidHeaderFieldValue(value):
			return nil, fmt.Errorf("%q has a value with characters that a header can't carry", name)
		}
		headers.Set(name, value)
	}
	return headers, nil
}
