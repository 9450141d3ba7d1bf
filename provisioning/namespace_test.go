package provisioning

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const sources = "datasources/gotherm.yaml"

// dockerfile is what is looked at here of a Dockerfile of an example.
type dockerfile struct {
	// programs are the packages by the paths of what is built of them.
	programs   map[string]string
	copied     []string
	entrypoint string
}

func readDockerfile(t *testing.T, name string) dockerfile {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	d := dockerfile{programs: map[string]string{}}
	for _, built := range regexp.MustCompile(`-o (/\S+) \./(\S+)`).FindAllStringSubmatch(string(content), -1) {
		d.programs[built[1]] = built[2]
	}
	for _, copied := range regexp.MustCompile(`(?m)^COPY (\S+) (\S+)$`).FindAllStringSubmatch(string(content), -1) {
		if copied[1] == copied[2] {
			d.copied = append(d.copied, copied[1])
		}
	}
	if entry := regexp.MustCompile(`(?m)^ENTRYPOINT \["(\S+)"\]$`).FindStringSubmatch(string(content)); entry != nil {
		d.entrypoint = entry[1]
	}
	if len(d.programs) == 0 || d.programs[d.entrypoint] == "" {
		t.Fatalf("%s builds %v and begins with %q", name, d.programs, d.entrypoint)
	}
	return d
}

func TestAnImageOfAnExampleHasAllThatItIsBuiltFrom(t *testing.T) {
	for name, service := range readCompose(t).Services {
		if !strings.HasPrefix(service.Build.Dockerfile, "examples/") {
			continue
		}
		d := readDockerfile(t, service.Build.Dockerfile)
		for _, program := range d.programs {
			out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "github.com/gotherm/gotherm/"+program).Output()
			if err != nil {
				t.Fatal(err)
			}
			for _, dependency := range strings.Fields(string(out)) {
				own, isOurs := strings.CutPrefix(dependency, "github.com/gotherm/gotherm/")
				if isOurs && !slices.ContainsFunc(d.copied, func(dir string) bool { return own == dir || strings.HasPrefix(own, dir+"/") }) {
					t.Errorf("%s: %s needs %s, and %s copies %v", name, program, own, service.Build.Dockerfile, d.copied)
				}
			}
		}
	}
}

// TestTheTargetsAnswerInTheNetworkThatTheyShare runs what compose runs, with the
// commands that it has there, in a network namespace with a loopback and nothing
// else, as Grafana's is to them: what the data source has for targets answers.
func TestTheTargetsAnswerInTheNetworkThatTheyShare(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("making a network namespace needs root")
	}
	file := readCompose(t)
	var configured struct {
		Datasources []struct {
			JSONData struct{ Targets []struct{ Name, URL string } } `yaml:"jsonData"`
		}
	}
	loosely(t, sources, &configured)
	binaries := t.TempDir()
	enterEmptyNetwork(t)
	for _, name := range []string{"shop", "mapreduce"} {
		service := file.Services[name]
		if service.NetworkMode != "service:grafana" || len(service.Ports) > 0 {
			t.Errorf("%s is in network %q and publishes %v, must be in Grafana's alone", name, service.NetworkMode, service.Ports)
		}
		d := readDockerfile(t, service.Build.Dockerfile)
		for at, program := range d.programs {
			goBuild(t, filepath.Join(binaries, path.Base(at)), "github.com/gotherm/gotherm/"+program)
		}
		running := exec.Command(filepath.Join(binaries, path.Base(d.entrypoint)), service.Command...)
		if err := running.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = running.Process.Kill()
			_ = running.Wait()
		})
		answered := 0
		for _, target := range configured.Datasources[0].JSONData.Targets {
			if target.Name == name {
				answered = statusOf(t, target.URL)
			}
		}
		if answered != http.StatusOK {
			t.Errorf("the target %s answers with HTTP %d", name, answered)
		}
	}
	// The load is in the same network: its first requests are how the shop's health is looked at.
	health := file.Services["shop"].Healthcheck.Test
	visit := exec.Command(filepath.Join(binaries, path.Base(health[1])), health[2:]...)
	if out, err := visit.CombinedOutput(); err != nil {
		t.Errorf("a customer of the shop: %v\n%s", err, out)
	}
	if network := file.Services["load"].NetworkMode; network != "service:grafana" {
		t.Errorf("the load is in network %q", network)
	}
}

// enterEmptyNetwork moves the goroutine of a test, and what it starts, to a
// network namespace that has a loopback and nothing else. The thread ends with it.
func enterEmptyNetwork(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket)
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	loopback.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback); err != nil {
		t.Fatalf("bring the loopback up: %v", err)
	}
}

// statusOf asks for a page, from the thread of the test: a client of net/http
// would ask from any. It waits until somebody listens.
func statusOf(t *testing.T, address string) int {
	t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for {
		connection, err := net.DialTimeout("tcp", at.Host, 5*time.Second)
		if err != nil {
			if ctx.Err() != nil {
				t.Fatalf("%s: %v", address, err)
			}
			time.Sleep(20 * time.Millisecond)
			continue
		}
		defer connection.Close()
		if err := request.Write(connection); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(connection), request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.StatusCode
	}
}
