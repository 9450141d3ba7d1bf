package provisioning

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const composeFile = "../docker-compose.yml"

// compose is what is looked at here of a compose file.
type compose struct {
	Services map[string]struct {
		Image       string
		Ports       []string
		Environment map[string]string
		Privileged  bool
		NetworkMode string   `yaml:"network_mode"`
		CapAdd      []string `yaml:"cap_add"`
		CapDrop     []string `yaml:"cap_drop"`
		PID         string
		Command     []string
		Build       struct{ Dockerfile string }
		Healthcheck struct{ Test []string }
	}
}

func readCompose(t *testing.T) compose {
	t.Helper()
	var file compose
	loosely(t, composeFile, &file)
	if len(file.Services) < 5 {
		t.Fatalf("compose has %d services, want Grafana, the agent, the shop, its load and the job", len(file.Services))
	}
	return file
}

func TestComposeOpensOnePortOnLoopbackBehindAPassword(t *testing.T) {
	file := readCompose(t)
	for name, service := range file.Services {
		for _, port := range service.Ports {
			if name != "grafana" || !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s: only Grafana may, and only on 127.0.0.1", name, port)
			}
		}
		if service.Privileged {
			t.Errorf("%s is privileged", name)
		}
		if service.NetworkMode == "host" {
			t.Errorf("%s is in the host's network", name)
		}
		if _, version, _ := strings.Cut(service.Image, ":"); service.Image != "" && (version == "" || version == "latest") {
			t.Errorf("%s: image %s is not pinned", name, service.Image)
		}
		// Nobody waits for the load, nor for the job, whose image has nothing to look with.
		if name != "load" && name != "mapreduce" && len(service.Healthcheck.Test) == 0 {
			t.Errorf("%s has no health check", name)
		}
	}
	grafana := file.Services["grafana"]
	if password := grafana.Environment["GF_SECURITY_ADMIN_PASSWORD"]; !strings.HasPrefix(password, "${GF_SECURITY_ADMIN_PASSWORD:?") {
		t.Errorf("the admin's password is %q, must be asked for", password)
	}
	if anonymous := grafana.Environment["GF_AUTH_ANONYMOUS_ENABLED"]; anonymous != "" {
		t.Errorf("anonymous access is %s", anonymous)
	}
}

func TestComposeLoadsThePluginAndFindsTheAgent(t *testing.T) {
	file := readCompose(t)
	grafana, agent := file.Services["grafana"], file.Services["agent"]
	allowed := strings.Split(grafana.Environment["GF_PLUGINS_ALLOW_LOADING_UNSIGNED_PLUGINS"], ",")
	for _, manifest := range []string{"../plugin.json", "../src/datasource/plugin.json", "../src/panel/plugin.json"} {
		if id := pluginID(t, manifest); !slices.Contains(allowed, id) {
			t.Errorf("Grafana may load %v, which lacks %s", allowed, id)
		}
	}
	if agent.NetworkMode != "service:grafana" || agent.PID != "host" {
		t.Errorf("the agent is in network %q and pid namespace %q, must be in Grafana's and the host's", agent.NetworkMode, agent.PID)
	}
	if url := grafana.Environment["GOTHERM_AGENT_URL"]; !slices.Contains(agent.Command, strings.TrimPrefix(url, "http://")) {
		t.Errorf("the data source asks %s, the agent runs %v", url, agent.Command)
	}
	if want := []string{"BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH"}; !slices.Equal(agent.CapAdd, want) || !slices.Equal(agent.CapDrop, []string{"ALL"}) {
		t.Errorf("the agent has the capabilities %v without %v, want %v without ALL", agent.CapAdd, agent.CapDrop, want)
	}
}

func TestDockerComposeAcceptsTheFile(t *testing.T) {
	if err := exec.Command("docker", "compose", "version").Run(); err != nil {
		t.Skipf("cannot run here: needs the docker client with its compose plugin: docker compose version: %v", err)
	}
	config := exec.Command("docker", "compose", "--file", composeFile, "config", "--quiet")
	config.Env = append(config.Environ(), "GF_SECURITY_ADMIN_PASSWORD=for-the-test")
	if out, err := config.CombinedOutput(); err != nil {
		t.Errorf("docker compose config: %v\n%s", err, out)
	}
}
