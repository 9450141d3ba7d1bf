package datasource

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"golang.org/x/net/http/httpguts"
)

// headerSecret, a target's name, a dot and a header's name are the name of the
// secret that holds the header's value; of Pyroscope it is pyroscopeSecret and the header's name.
const headerSecret, pyroscopeSecret = "header.", "pyroscope."

type targetSettings struct {
	name string
	endpointSettings
}

// endpointSettings are where something is asked, and what is sent along.
type endpointSettings struct {
	url, ca string
	headers http.Header
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
		where, err := readEndpoint(
			func(setting string) string { return fmt.Sprintf("%s.%s (%s)", field, setting, t.Name) },
			t.URL, t.CA, t.Headers, func(header string) string { return secrets[headerSecret+t.Name+"."+header] })
		if err != nil {
			return nil, err
		}
		result = append(result, targetSettings{t.Name, where})
	}
	return result, nil
}

// readPyroscope reads and checks where Pyroscope is, if it is anywhere. An error names the setting.
func readPyroscope(model *query.Pyroscope, secrets map[string]string) (*endpointSettings, error) {
	if model == nil {
		return nil, nil
	}
	where, err := readEndpoint(
		func(setting string) string { return "pyroscope." + setting },
		model.URL, model.CA, model.Headers, func(header string) string { return secrets[pyroscopeSecret+header] })
	return &where, err
}

// readEndpoint checks what targets and Pyroscope have in common. The field is how errors call a setting.
func readEndpoint(field func(string) string, address, ca string, names []string, secret func(string) string) (endpointSettings, error) {
	headers, err := readHeaders(names, secret)
	if err != nil {
		return endpointSettings{}, fmt.Errorf("%s: %w", field("headers"), err)
	}
	address, err = checkURL(address, len(headers) > 0)
	if err != nil {
		return endpointSettings{}, fmt.Errorf("%s: %w", field("url"), err)
	}
	if ca != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(ca)) {
		return endpointSettings{}, fmt.Errorf("%s: no certificate in it: paste the PEM text that begins with -----BEGIN CERTIFICATE-----", field("ca"))
	}
	return endpointSettings{url: address, ca: ca, headers: headers}, nil
}

// readHeaders puts headers together with their values. An error tells no value.
func readHeaders(names []string, secret func(string) string) (http.Header, error) {
	if err := atMost("headers", len(names), maxHeaders, "send fewer"); err != nil {
		return nil, err
	}
	headers := http.Header{}
	for _, name := range names {
		value := secret(name)
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
