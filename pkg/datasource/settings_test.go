package datasource

import (
	"strings"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

func TestSettingsThatCannotBeRightAreToldByName(t *testing.T) {
	for settings, says := range map[string]string{
		`{`:              "read settings",
		`{"agents": 1}`:  "read settings",
		``:               "agents: none is configured",
		`{"agents": []}`: "agents: none is configured",
		`{"timeoutSeconds": 61, "agents": [{"name": "a", "url": "http://localhost:1"}]}`:                     "timeoutSeconds is 61, must be between 1 and 60",
		`{"timeoutSeconds": -1, "agents": [{"name": "a", "url": "http://localhost:1"}]}`:                     "timeoutSeconds is -1",
		`{"agents": [{"url": "http://localhost:1"}]}`:                                                        "agents[0].name is empty",
		`{"agents": [{"name": "a", "url": "http://localhost:1"}, {"name": "a", "url": "https://b"}]}`:        `agents[1].name is "a", as agents[0].name is`,
		`{"agents": [{"name": "a", "url": "localhost:7117"}]}`:                                               `scheme "localhost", must be http or https`,
		`{"agents": [{"name": "a", "url": "unix:///run/agent"}]}`:                                            `scheme "unix"`,
		`{"agents": [{"name": "a", "url": "http://"}]}`:                                                      "has no host",
		`{"agents": [{"name": "a", "url": "https://me:secret@host"}]}`:                                       "has a user in it",
		`{"agents": [{"name": "a", "url": "https://host/?q=1"}]}`:                                            "has a query",
		`{"agents": [{"name": "a", "url": "http://10.0.0.7:7117"}]}`:                                         "plain http to another machine",
		`{"agents": [{"name": "a", "url": "http://127.0.0.1.evil.example"}]}`:                                "plain http to another machine",
		`{"agents": [{"name": "with token", "url": "http://10.0.0.7:7117"}]}`:                                "would send the token over plain http",
		`{"agents": [{"name": "torn token", "url": "https://host"}]}`:                                        "the token has white space",
		`{"agents": [{"name": "a", "url": "https://host", "ca": "not a certificate"}]}`:                      "agents[0].ca (a): no certificate",
		`{"agents": [` + strings.Repeat(`{"name": "a", "url": "https://host"},`, 100) + `{"name": "last"}]}`: "agents: 101 found, at most 100",
	} {
		_, err := readSettings(backend.DataSourceInstanceSettings{
			JSONData:                []byte(settings),
			DecryptedSecureJSONData: map[string]string{"token.with token": "secret", "token.torn token": "two\nlines"},
		})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.120s: error is %v, want it to say %q", settings, err, says)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%.120s: the error tells a secret: %v", settings, err)
		}
	}
}

func TestLoopbackNeedsNoTLS(t *testing.T) {
	for _, url := range []string{"http://127.0.0.1:7117", "http://localhost:7117/", "http://[::1]:7117", "http://127.8.9.10", "https://agent.example:7117"} {
		s, err := readSettings(backend.DataSourceInstanceSettings{
			JSONData:                []byte(`{"agents": [{"name": "a", "url": "` + url + `"}]}`),
			DecryptedSecureJSONData: map[string]string{"token.a": "secret"},
		})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if s.timeout != defaultTimeout || s.agents[0].token != "secret" || s.agents[0].url != strings.TrimRight(url, "/") {
			t.Errorf("%s: read as %+v", url, s)
		}
	}
}

func TestWrongSettingsAnswerEverythingWithWhatIsWrong(t *testing.T) {
	instance, err := New(t.Context(), backend.DataSourceInstanceSettings{UID: "gotherm", JSONData: []byte(`{"agents": [{"name": "a", "url": "ftp://a"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	d := instance.(*Datasource)
	defer d.Dispose()
	health, err := d.CheckHealth(t.Context(), &backend.CheckHealthRequest{})
	if err != nil || health.Status != backend.HealthStatusError || !strings.Contains(health.Message, `scheme "ftp"`) {
		t.Errorf("health is %+v, %v", health, err)
	}
	answer := ask(t, d, backend.DataQuery{RefID: "A"})
	if answer.Error == nil || !strings.Contains(answer.Error.Error(), `scheme "ftp"`) {
		t.Errorf("a query is answered with %v", answer.Error)
	}
}
