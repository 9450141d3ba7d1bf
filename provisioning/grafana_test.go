package provisioning

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAlertsFireInGrafanaWhenPausesAreLong gives a real Grafana all of this
// folder, an agent, and a program whose collector has to wait for a quarter of
// a second, and waits until both rules call.
func TestAlertsFireInGrafanaWhenPausesAreLong(t *testing.T) {
	home := os.Getenv("GOTHERM_GRAFANA_HOME")
	if home == "" {
		t.Skip("cannot run here: needs GOTHERM_GRAFANA_HOME: the folder of a Grafana 12.4 or newer, with bin/grafana in it")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: the agent attaches probes")
	}
	dist, err := filepath.Abs("../dist")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"plugin.json", "module.js", "datasource/gpx_gotherm_runtime_linux_" + runtime.GOARCH} {
		if _, err := os.Stat(filepath.Join(dist, part)); err != nil {
			t.Skipf("needs the built plugin (go tool mage build): %v", err)
		}
	}

	folder := t.TempDir()
	agent, target := filepath.Join(folder, "gotherm-agent"), filepath.Join(folder, "longpause")
	goBuild(t, agent, "../bpf-agent")
	goBuild(t, target, "./testdata/longpause")
	start(t, []string{"GODEBUG=asyncpreemptoff=1", "OTEL_SERVICE_NAME=longpause"}, target)
	agentAddress, grafanaAddress := freeAddress(t), freeAddress(t)
	start(t, nil, agent, "run", "--listen", agentAddress)

	provisioning, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	plugins, data := filepath.Join(folder, "plugins"), filepath.Join(folder, "data")
	if err := os.Mkdir(plugins, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dist, filepath.Join(plugins, "gotherm-runtime-app")); err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(grafanaAddress, ":")
	log := start(t, []string{
		"GOTHERM_AGENT_URL=http://" + agentAddress,
		"GF_PATHS_PROVISIONING=" + provisioning,
		"GF_PATHS_PLUGINS=" + plugins,
		"GF_PATHS_DATA=" + data,
		"GF_PATHS_LOGS=" + data,
		"GF_SERVER_HTTP_ADDR=" + host,
		"GF_SERVER_HTTP_PORT=" + port,
		"GF_PLUGINS_ALLOW_LOADING_UNSIGNED_PLUGINS=gotherm-runtime-app,gotherm-runtime-datasource,gotherm-heatmap-panel",
		"GF_PLUGINS_PREINSTALL_DISABLED=true",
		"GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED=true",
		"GF_AUTH_ANONYMOUS_ENABLED=true",
		"GF_AUTH_ANONYMOUS_ORG_ROLE=Admin",
		"GF_ANALYTICS_REPORTING_ENABLED=false",
		"GF_ANALYTICS_CHECK_FOR_UPDATES=false",
		"GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES=false",
	}, filepath.Join(home, "bin", "grafana"), "server", "--homepath", home)
	defer func() {
		if t.Failed() {
			text, err := os.ReadFile(log)
			t.Logf("the end of Grafana's log: %v\n%s", err, text[max(0, len(text)-8000):])
		}
	}()
	api := "http://" + grafanaAddress + "/api"

	// A Grafana that starts for the first time makes its database first.
	waitFor(t, 2*time.Minute, func() error {
		var health struct{ Status, Message string }
		if err := get(api+"/datasources/uid/gotherm/health", &health); err != nil {
			return err
		}
		if health.Status != "OK" {
			return fmt.Errorf("the data source is %s: %s", health.Status, health.Message)
		}
		return nil
	})
	for path, d := range dashboards(t) {
		var found struct {
			Dashboard struct{ Title string }
			Meta      struct{ FolderTitle string }
		}
		waitFor(t, time.Minute, func() error { return get(api+"/dashboards/uid/"+d.UID, &found) })
		if found.Dashboard.Title != d.Title || found.Meta.FolderTitle != "gotherm" {
			t.Errorf("%s became %+v", path, found)
		}
	}
	waitFor(t, 4*time.Minute, func() error {
		var rules struct {
			Data struct {
				Groups []struct {
					Name  string
					Rules []struct {
						UID, Name, State, LastError string
						Alerts                      []struct {
							State               string
							Labels, Annotations map[string]string
						}
					}
				}
			}
		}
		if err := get(api+"/prometheus/grafana/api/v1/rules", &rules); err != nil {
			return err
		}
		var quiet []string
		seen := 0
		for _, group := range rules.Data.Groups {
			for _, r := range group.Rules {
				if group.Name != "GC pauses by NUMA node" {
					// It has no cause to call, but must be able to.
					if r.LastError != "" || r.State == "" {
						quiet = append(quiet, fmt.Sprintf("%s is %s and can't be evaluated: %s", r.Name, r.State, r.LastError))
					}
					continue
				}
				seen++
				calling := false
				for _, a := range r.Alerts {
					if a.State != "Alerting" || a.Labels["service"] != "longpause" {
						continue
					}
					calling = true
					if a.Labels["node"] == "" || a.Labels["severity"] == "" || !strings.Contains(a.Annotations["summary"], "NUMA node "+a.Labels["node"]) {
						t.Fatalf("%s calls with labels %v and annotations %v", r.Name, a.Labels, a.Annotations)
					}
				}
				if !calling {
					quiet = append(quiet, fmt.Sprintf("%s is %s %s", r.Name, r.State, r.LastError))
				}
			}
		}
		if seen < 2 || len(quiet) > 0 {
			return fmt.Errorf("of %d rules these do not call: %s", seen, strings.Join(quiet, "; "))
		}
		return nil
	})
}

func goBuild(t *testing.T, binary, pkg string) {
	t.Helper()
	if out, err := exec.Command("go", "build", "-o", binary, pkg).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
}

// start runs a program until the test ends, and returns the file with what it says.
func start(t *testing.T, env []string, name string, args ...string) (log string) {
	t.Helper()
	said, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = said, said
	// Its children, such as Grafana's plugins, end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
		said.Close()
	})
	return said.Name()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func get(url string, value any) error {
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(value)
}

func waitFor(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %v", limit, err)
		}
		time.Sleep(time.Second)
	}
}
