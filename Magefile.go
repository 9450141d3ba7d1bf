//go:build mage

// Every task there is. "go tool mage -l" lists them; the two a newcomer needs
// are demo and test. Each installs what it lacks, and says what it is doing.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	sdkbuild "github.com/grafana/grafana-plugin-sdk-go/build"
	"github.com/magefile/mage/mg"
	"github.com/magefile/mage/target"
)

// Default is what "go tool mage" does.
var Default = Build

// Aliases are other names of tasks.
var Aliases = map[string]interface{}{
	"test:vm":     TestVM,
	"test:matrix": TestMatrix,
}

const (
	agentBinary = "bin/gotherm-agent"
	agentURL    = "http://127.0.0.1:7117"
	pluginID    = "gotherm-runtime-app"
	// Where the demo keeps its logs and state.
	demoDir = ".demo"
)

// modules are those beside the root's, which "./..." does not reach: pkg/instrument and what is in it.
const modules = "github.com/gotherm/gotherm/pkg/instrument/..."

// moduleFolders are where they lie: what each requires is in its own go.mod.
var moduleFolders = []string{"pkg/instrument", "pkg/instrument/memstats"}

// ---------------------------------------------------------------- building

// Build makes the agent, the plugin (back end and front end), the examples and the workbench.
func Build() error {
	mg.SerialDeps(goPrograms, BuildFrontend, BuildWorkbench)
	return nil
}

// BuildAgent makes bin/gotherm-agent.
func BuildAgent() error {
	return step("build the agent", "", goBuild(agentBinary, "./bpf-agent"))
}

// BuildExamples makes the programs to watch, and their load.
func BuildExamples() error {
	if err := step("build the shop", "", goBuild("bin/shop", "./examples/shop")); err != nil {
		return err
	}
	if err := step("build the shop's next release", "", goBuild("bin/next/shop", "./examples/shop", "-tags", "release_1_1")); err != nil {
		return err
	}
	if err := step("build the MapReduce job", "", goBuild("bin/mapreduce", "./examples/mapreduce")); err != nil {
		return err
	}
	return step("build the shop's load", "", goBuild("bin/shop-load", "./examples/shop/load"))
}

// BuildBackend makes the data source's back end for this machine.
func BuildBackend() error {
	mg.Deps(licences)
	return timed("build the data source's back end", sdkbuild.Build{}.Backend)
}

// BuildAll makes the data source's back end for every platform that Grafana runs on.
func BuildAll() error {
	mg.Deps(licences)
	return timed("build the data source's back end for every platform", func() error {
		sdkbuild.BuildAll()
		return nil
	})
}

// licences writes the notices of all that the back end is made of, on any platform, beside those of the front end.
func licences() error {
	folders := map[string]string{"Go": runtime.GOROOT()}
	for _, system := range []string{"linux", "darwin", "windows"} {
		list := exec.Command("go", "list", "-deps", "-f", `{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}`, "./pkg")
		list.Env = append(os.Environ(), "GOOS="+system)
		list.Stderr = os.Stderr
		out, err := list.Output()
		if err != nil {
			return fmt.Errorf("list what the back end is made of: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			if of, folder, module := strings.Cut(strings.TrimSpace(line), " "); module {
				folders[of] = folder
			}
		}
	}
	var texts []string
	for _, of := range slices.Sorted(maps.Keys(folders)) {
		text := of + "\n"
		entries, err := os.ReadDir(folders[of])
		if err != nil {
			return fmt.Errorf("look for the licence of %s: %w", of, err)
		}
		for _, e := range entries {
			if !notice.MatchString(e.Name()) {
				continue
			}
			content, err := os.ReadFile(filepath.Join(folders[of], e.Name()))
			if err != nil {
				return fmt.Errorf("read the licence of %s: %w", of, err)
			}
			text += "\n" + strings.TrimSpace(string(content)) + "\n"
		}
		if text == of+"\n" {
			return fmt.Errorf("%s is in the back end and has no licence", of)
		}
		texts = append(texts, text)
	}
	if err := os.MkdirAll("dist", 0o755); err != nil {
		return fmt.Errorf("write licences: %w", err)
	}
	if err := os.WriteFile("dist/LICENSES-backend.txt", []byte(strings.Join(texts, "\n"+strings.Repeat("-", 80)+"\n\n")), 0o644); err != nil {
		return fmt.Errorf("write licences: %w", err)
	}
	return nil
}

// notice is what files are called that have to come along.
var notice = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)`)

// BuildFrontend makes the plugin's front end in dist/.
func BuildFrontend() error {
	mg.Deps(nodeModules)
	newer, err := target.Dir("dist/module.js", "src", ".config", "pkg/heat", "plugin.json", "package.json", "package-lock.json", "README.md", "CHANGELOG.md")
	if err != nil {
		return fmt.Errorf("compare dist with its sources: %w", err)
	}
	if !newer {
		return upToDate("the front end")
	}
	return step("build the front end", "", exec.Command("npm", "run", "build"))
}

// BuildWorkbench makes the local page that hosts the panel, and its server.
func BuildWorkbench() error {
	mg.Deps(nodeModules)
	if err := step("build the workbench's server", "", goBuild("bin/workbench", "./workbench")); err != nil {
		return err
	}
	newer, err := target.Dir("workbench/dist19/index.html", "workbench/page", "package.json", "package-lock.json")
	if err != nil {
		return fmt.Errorf("compare the workbench's page with its sources: %w", err)
	}
	if !newer {
		return upToDate("the workbench's page")
	}
	return step("build the workbench's page", "", exec.Command("npm", "run", "workbench"))
}

func goBuild(out, pkg string, flags ...string) *exec.Cmd {
	cmd := exec.Command("go", slices.Concat([]string{"build", "-o", out}, flags, []string{pkg})...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd
}

// nodeModules installs the npm packages that package-lock.json names.
func nodeModules() error {
	if err := needNode(); err != nil {
		return err
	}
	// npm would empty what a link leads to, which belongs to another checkout.
	if at, err := os.Lstat("node_modules"); err == nil && at.Mode()&fs.ModeSymlink != 0 {
		return errors.New("node_modules is a link to another checkout's: remove it, then run this again")
	}
	newer, err := target.Path("node_modules/.package-lock.json", "package-lock.json")
	if err != nil {
		return fmt.Errorf("compare node_modules with package-lock.json: %w", err)
	}
	if !newer {
		return nil
	}
	return step("install npm packages (a few minutes the first time)", "see that the npm registry can be reached, then run this again",
		exec.Command("npm", "ci", "--no-audit", "--no-fund"))
}

// -------------------------------------------------------------- generating

// Generate makes all generated code anew: BPF objects, the API, the query model, the colours of pictures.
func Generate() error {
	if err := need(tool("clang"), tool("llvm-strip", "llvm"), tool("protoc", "protobuf-compiler"), header("/usr/include/bpf/bpf_helpers.h", "libbpf-dev")); err != nil {
		return err
	}
	mg.Deps(nodeModules)
	return timed("generate code", func() error {
		if err := run(exec.Command("go", "generate", "./bpf-agent/bpf")); err != nil {
			return fmt.Errorf("compile the BPF programs: %w", err)
		}
		if err := generateAPI(); err != nil {
			return fmt.Errorf("generate the API: %w", err)
		}
		if err := run(exec.Command("npm", "run", "--silent", "generate:query")); err != nil {
			return fmt.Errorf("generate the query model's types: %w", err)
		}
		if err := run(exec.Command("npm", "run", "--silent", "generate:schemes")); err != nil {
			return fmt.Errorf("generate the colours of pictures: %w", err)
		}
		if err := run(exec.Command("npm", "run", "--silent", "generate:kernel")); err != nil {
			return fmt.Errorf("compile the kernel of points: %w", err)
		}
		catalogue, err := exec.Command("go", "run", "./bpf-agent/probe/cataloguedoc").Output()
		if err != nil {
			return fmt.Errorf("write down the catalogue: %w", err)
		}
		if err := os.WriteFile("docs/measurement-points.md", catalogue, 0o644); err != nil {
			return fmt.Errorf("write down the catalogue: %w", err)
		}
		return nil
	})
}

func generateAPI() error {
	plugins, err := os.MkdirTemp("", "gotherm-protoc")
	if err != nil {
		return err
	}
	defer os.RemoveAll(plugins)
	for name, pkg := range map[string]string{
		"protoc-gen-go":         "google.golang.org/protobuf/cmd/protoc-gen-go",
		"protoc-gen-connect-go": "connectrpc.com/connect/cmd/protoc-gen-connect-go",
	} {
		if err := run(exec.Command("go", "build", "-o", filepath.Join(plugins, name), pkg)); err != nil {
			return err
		}
	}
	protoc := exec.Command("protoc", "-I.",
		"--go_out=.", "--go_opt=paths=source_relative",
		"--connect-go_out=.", "--connect-go_opt=paths=source_relative,package_suffix=connect", "agent.proto")
	protoc.Dir = "pkg/gothermpb"
	protoc.Env = append(os.Environ(), "PATH="+plugins+":"+os.Getenv("PATH"))
	return run(protoc)
}

// generatedIsCurrent makes the generated code anew and fails when it differs from what is here.
func generatedIsCurrent() error {
	before, err := generatedFiles()
	if err != nil {
		return err
	}
	if err := Generate(); err != nil {
		return err
	}
	after, err := generatedFiles()
	if err != nil {
		return err
	}
	for path, content := range after {
		if !bytes.Equal(before[path], content) {
			return fmt.Errorf("%s was not current: commit what \"go tool mage generate\" made of it", path)
		}
	}
	return nil
}

func generatedFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, pattern := range []string{"bpf-agent/bpf/*_bpfel*", "bpf-agent/ingest/*_bpfel*", "bpf-agent/*_bpfel*", "pkg/gothermpb/*.pb.go", "pkg/gothermpb/gothermpbconnect/*.go", "src/datasource/query.gen.ts", "src/renderer/points/kernel.gen.ts", "docs/measurement-points.md", "bpf-agent/render/*.gen.json", "bpf-agent/render/testdata/*.gen.json"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			files[path] = content
		}
	}
	return files, nil
}

// ----------------------------------------------------------------- testing

// Test passes every test: generated code, linters, an older kernel, TypeScript, Go, and the
// browser. What has to be there for that is installed. The machine is left to the tests
// that watch processes and browsers; the emulator, which is slow, has company.
func Test() error {
	if err := need(tool("gcc", "gcc"), tool("chromium", "chromium"), tool("prometheus", "prometheus"), tool("bpftool", "bpftool"), tool("bpftrace", "bpftrace"), tool("llvm-objdump", "llvm")); err != nil {
		return err
	}
	mg.Deps(npmPackages, goPrograms)
	mg.SerialDeps(generatedIsCurrent, Build)
	mg.Deps(TestVM, withoutTargets)
	mg.SerialDeps(TestGo, E2E)
	fmt.Println("\nAll tests passed.")
	return nil
}

// npmPackages installs all that the front end is built and tested with.
func npmPackages() {
	mg.SerialDeps(nodeModules, oldNodeModules)
}

// oldNodeModules installs Grafana 12's packages, for the browser tests.
func oldNodeModules() error {
	const folder = "workbench/react18"
	newer, err := target.Path(folder+"/node_modules/.package-lock.json", folder+"/package-lock.json")
	if err != nil {
		return fmt.Errorf("compare node_modules of %s with its package-lock.json: %w", folder, err)
	}
	if !newer {
		return nil
	}
	return step("install npm packages of Grafana 12", "see that the npm registry can be reached, then run this again",
		exec.Command("npm", "ci", "--no-audit", "--no-fund", "--prefix", folder))
}

// goPrograms builds what is written in Go while others wait for the network.
func goPrograms() {
	mg.SerialDeps(BuildAgent, BuildExamples, BuildBackend)
}

// withoutTargets is what needs no process to watch.
func withoutTargets() {
	mg.SerialDeps(Lint, TestFrontend, BuildAll)
}

// TestGo passes the Go tests. Where this machine could have run a test that
// was skipped, that is a failure.
func TestGo() error {
	return timed("test the Go code", func() error {
		fmt.Println()
		cmd := exec.Command("go", "test", "-p", "1", "-timeout", "20m", "-json", "./...", modules)
		return goTest(cmd)
	})
}

// goTest runs "go test -json" and tells its story: a line a package, the whole
// output of what failed, and what was skipped and why.
func goTest(cmd *exec.Cmd) error {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start go test: %w", err)
	}
	type event struct {
		Action, Package, Test, Output string
		Elapsed                       float64
	}
	outputs := map[string][]string{}
	var passed, failed int
	var skipped []string
	could := 0 // of the skipped, those that did not say that this kind of machine can't have what they need
	decoder := json.NewDecoder(bufio.NewReader(out))
	for {
		var e event
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("read what go test says: %w", err)
		}
		id := e.Package + " " + e.Test
		switch {
		case e.Action == "output" || e.Action == "build-output":
			outputs[id] = append(outputs[id], e.Output)
		case e.Test == "" && e.Action == "pass":
			fmt.Printf("  ok    %s (%.1fs)\n", e.Package, e.Elapsed)
		case e.Test == "" && e.Action == "fail":
			fmt.Printf("  FAIL  %s (%.1fs)\n%s", e.Package, e.Elapsed, strings.Join(outputs[id], ""))
		case e.Action == "pass":
			passed++
			delete(outputs, id)
		case e.Action == "fail":
			failed++
			fmt.Printf("  FAIL  %s\n%s", id, strings.Join(outputs[id], ""))
		case e.Action == "skip" && e.Test != "":
			output := strings.Join(outputs[id], "")
			skipped = append(skipped, id+"\n"+output)
			if !strings.Contains(output, "cannot run here: ") {
				could++
			}
		}
	}
	err = cmd.Wait()
	for _, s := range skipped {
		fmt.Printf("  skip  %s", s)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, len(skipped))
	if err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	if passed == 0 {
		return errors.New("go test ran no test")
	}
	if could > 0 && canWatch() {
		return fmt.Errorf("%d tests were skipped on a machine with root and BTF, which can run them", could)
	}
	return nil
}

func canWatch() bool {
	_, err := os.Stat("/sys/kernel/btf/vmlinux")
	return err == nil && os.Geteuid() == 0 && runtime.GOARCH == "amd64"
}

// TestVM passes the tests that attach probes on Debian's Linux 6.1 with two NUMA nodes, in an emulator.
func TestVM() error {
	return timed("test on Linux 6.1 with two NUMA nodes (a few minutes)", func() error {
		return shown(exec.Command("go", "run", "./bpf-agent/internal/vm"))
	})
}

// TestMatrix reads and runs programs of every Go version in every way to build
// them, of which "test" takes a part, and writes down what works.
func TestMatrix() error {
	os.Setenv("GOTHERM_FULL_MATRIX", "1")
	return timed("test every Go version in every build mode", func() error {
		return shown(exec.Command("go", "test", "-count", "1", "-timeout", "60m", "-run", "EveryGoRelease", "-v", "./bpf-agent/probe", "-update"))
	})
}

// TestFrontend passes the front end's unit tests.
func TestFrontend() error {
	mg.Deps(nodeModules)
	return timed("test the front end", func() error { return shown(exec.Command("npm", "test", "--silent")) })
}

// E2E passes the browser tests: a real shop, agent, back end and Chromium. With
// GOTHERM_GRAFANA_URL it passes those in the Grafana there, too.
func E2E() error {
	mg.Deps(Build)
	if !canWatch() {
		return errors.New("the browser tests watch a real process: run as root on Linux with BTF on amd64")
	}
	if err := need(tool("chromium", "chromium")); err != nil {
		return err
	}
	if err := timed("test in the browser", func() error { return shown(exec.Command("npm", "run", "--silent", "e2e")) }); err != nil {
		return err
	}
	url := os.Getenv("GOTHERM_GRAFANA_URL")
	if url == "" {
		fmt.Println("Not tested in a Grafana: run \"go tool mage demo\" with GOTHERM_GRAFANA_HOME, and this with GOTHERM_GRAFANA_URL=http://127.0.0.1:3000.")
		return nil
	}
	return timed("test in the Grafana at "+url, func() error { return shown(exec.Command("npm", "run", "--silent", "e2e:grafana")) })
}

// Lint checks form: gofmt, go vet, staticcheck, eslint, prettier, tsc.
func Lint() error {
	mg.Deps(nodeModules)
	tracked, err := exec.Command("git", "ls-files", "*.go").Output()
	if err != nil {
		return fmt.Errorf("list Go files: %w", err)
	}
	unformatted, err := exec.Command("gofmt", append([]string{"-l"}, strings.Fields(string(tracked))...)...).Output()
	if err != nil {
		return fmt.Errorf("gofmt: %w", err)
	}
	if len(unformatted) > 0 {
		return fmt.Errorf("gofmt would change:\n%s", unformatted)
	}
	for _, folder := range moduleFolders {
		vet := exec.Command("go", "vet", "./...")
		vet.Dir = folder
		if err := step("go vet in "+folder, "", vet); err != nil {
			return err
		}
	}
	for _, check := range []struct {
		title string
		cmd   *exec.Cmd
	}{
		{"go vet", exec.Command("go", "vet", "./...")},
		{"staticcheck", exec.Command("go", "tool", "staticcheck", "./...", modules)},
		{"eslint", exec.Command("npm", "run", "--silent", "lint")},
		{"prettier", exec.Command("npm", "run", "--silent", "format:check")},
		{"tsc", exec.Command("npm", "run", "--silent", "typecheck")},
	} {
		if err := step(check.title, "", check.cmd); err != nil {
			return err
		}
	}
	return nil
}

// ------------------------------------------------------------ benchmarking

// Bench holds the benchmarks that docs/benchmarks.md quotes. Each prints "name value" lines.
type Bench mg.Namespace

// Truth holds what gotherm says against what the Go runtime says of itself.
func (Bench) Truth() error {
	return bench("^Benchmark(Truth|Sampling)", "./bpf-agent/ingest")
}

// Cost measures what watching costs the shop, next to a control; how much less
// that is than bpftrace's; and whether the budget holds in a spawn storm.
func (Bench) Cost() error {
	if err := need(tool("bpftrace", "bpftrace")); err != nil {
		return err
	}
	mg.Deps(BuildAgent, BuildExamples)
	return bench("^Benchmark(Cost|Excess|Storm)", "./bpf-agent", "./bpf-agent/pacer")
}

// Ring measures the way of an event from the kernel into heat, at two million a second.
func (Bench) Ring() error {
	return bench("^BenchmarkRing", "./bpf-agent/ingest")
}

// Churn attaches, detaches, starts, ends and re-executes for 24 minutes, or
// for as long as GOTHERM_CHURN_FOR says.
func (Bench) Churn() error {
	if os.Getenv("GOTHERM_CHURN_FOR") == "" {
		os.Setenv("GOTHERM_CHURN_FOR", "24m")
	}
	mg.Deps(BuildAgent)
	return bench("^BenchmarkChurn", "./bpf-agent")
}

// Memory holds what ten watched processes, and an hour of heat, take of the agent's memory.
func (Bench) Memory() error {
	return bench("^Benchmark(Resident|Hour)", "./bpf-agent")
}

// Difference holds comparisons against programs that drift, and planted changes against what is found of them.
func (Bench) Difference() error {
	return bench("^Benchmark(Difference|Compare)", "./pkg/heat/difference")
}

// Profiles holds tables of functions against go tool pprof, stages against what
// pprof and runtime/metrics say of the same time, and stages and labels against
// the runtime's own calls; and measures how fast profiles and execution traces
// are read, and what collecting profiles costs the shop.
func (Bench) Profiles() error {
	mg.Deps(BuildAgent, BuildExamples)
	return bench("^Benchmark(Stages|Trace|Profile)", "./pkg/profile/...", "./pkg/frames", "github.com/gotherm/gotherm/pkg/instrument", "./bpf-agent")
}

// Panel measures our renderer beside the technique of Grafana's own heatmap, in one browser.
func (Bench) Panel() error {
	mg.Deps(nodeModules)
	if err := need(tool("chromium", "chromium")); err != nil {
		return err
	}
	return shown(exec.Command("npm", "run", "--silent", "bench"))
}

func bench(pattern string, packages ...string) error {
	if !canWatch() {
		return errors.New("this benchmark watches real processes: run as root on Linux with BTF on amd64")
	}
	args := []string{"test", "-p", "1", "-run", "^$", "-bench", pattern, "-benchtime", "1x", "-timeout", "60m", "-v"}
	return shown(exec.Command("go", append(args, packages...)...))
}

// -------------------------------------------------------------------- demo

// Demo shows the live heat of a Go program that was neither changed nor
// restarted. With GOTHERM_GRAFANA_HOME it does so in that Grafana, else on a
// local page. It runs until Ctrl-C, or for as long as GOTHERM_DEMO_FOR says.
func Demo() error {
	began := time.Now()
	mg.Deps(Build)
	if err := os.MkdirAll(demoDir, 0o755); err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	if runtime.GOOS != "linux" {
		return errors.New("the demo watches a program with eBPF: run it on Linux")
	}
	diagnosis, sick := exec.Command(agentBinary, "doctor").CombinedOutput()
	if sick != nil {
		fmt.Printf("%s\nNothing can be measured before that is mended. What is shown meanwhile: which Go programs run, and why they are not watched.\n", diagnosis)
	}
	d := newDemo()
	defer d.stop()

	d.startShop()
	// A tenth of a CPU is enough for its stages to be seen.
	d.start("mapreduce", nil, "bin/mapreduce", "--listen", "127.0.0.1:6070", "--size", "500000", "--busy", "0.1")
	// The shop does little but schedule and collect, on a third of a CPU: 1 % of
	// that is used up at once, and what the budget sheds would not be seen.
	d.start("agent", nil, agentBinary, "run", "--listen", "127.0.0.1:7117", "--exe", "shop", "--budget", "10%", "--profiles", "auto")
	d.waitFor(agentURL+"/healthz", "the agent")
	url := "http://127.0.0.1:7118"
	if home := os.Getenv("GOTHERM_GRAFANA_HOME"); home != "" {
		url = d.startGrafana(home)
	} else {
		d.start("workbench", nil, "bin/workbench", "--agent", agentURL, "--listen", "127.0.0.1:7118")
		d.waitFor(url+"/api/health", "the page")
	}
	if sick == nil {
		d.waitForHeat()
	}
	if d.err != nil {
		return d.err
	}
	fmt.Printf("\nReady after %s. Open\n\n    %s\n\nIn four minutes the shop's next release comes, which is a little slower: at once when you press Enter, and at each\nfurther Enter one more. Logs are in %s. Ctrl-C ends it.\n",
		time.Since(began).Round(time.Second), url, demoDir)
	return d.wait()
}

const (
	// releaseAfter is when the shop's second release comes, if nobody asks for it before: then there is enough to compare it with.
	releaseAfter = 4 * time.Minute
	// rollout is for how long a release and the one before run side by side.
	rollout = 20 * time.Second
)

// startShop starts the next release of the shop and its load, beside the one
// that runs. 1.1.0 and every other after it are a little slower.
func (d *demo) startShop() {
	minor := d.releases
	d.releases++
	binary := []string{"bin/shop", "bin/next/shop"}[minor%2]
	// Two run at once during a rollout.
	address := fmt.Sprintf("127.0.0.1:%d", 8090+minor%2)
	name := fmt.Sprintf("shop-1.%d.0", minor)
	// A service says who it is as OpenTelemetry has it: in its environment.
	identity := []string{"OTEL_SERVICE_NAME=shop", fmt.Sprintf("OTEL_RESOURCE_ATTRIBUTES=service.version=1.%d.0", minor)}
	d.start(name, identity, binary, "--listen", address, "--metrics-listen", fmt.Sprintf("127.0.0.1:%d", 2112+minor%2))
	d.waitFor("http://"+address+"/version", "the shop")
	d.start("load-of-"+name, nil, "bin/shop-load", "--url", "http://"+address, "--rate", "300")
}

// release rolls the next release of the shop out: it runs beside the one before for a while, which then ends.
func (d *demo) release() {
	before := fmt.Sprintf("shop-1.%d.0", d.releases-1)
	fmt.Printf("▸ release shop 1.%d.0\n", d.releases)
	d.startShop()
	d.sleep(rollout)
	d.retire("load-of-" + before)
	d.retire(before)
	if d.err == nil {
		fmt.Printf("✓ shop 1.%d.0 has taken over: see the dashboard \"Release\"\n", d.releases-1)
	}
}

// demo owns the processes of a demo: it starts them, and stops them all when
// one ends or the user has seen enough. After an error its methods do nothing.
type demo struct {
	err      error
	running  []*process
	releases int // of the shop, that were started
	signals  chan os.Signal
	// ended is said once, of the first process that ended and was not asked to.
	ended chan error
}

// process is one of a demo's.
type process struct {
	name    string
	cmd     *exec.Cmd
	retired atomic.Bool   // it has been asked to end
	done    chan struct{} // closed when it has ended
}

func newDemo() *demo {
	d := &demo{ended: make(chan error, 1), signals: make(chan os.Signal, 1)}
	signal.Notify(d.signals, os.Interrupt, syscall.SIGTERM)
	return d
}

func (d *demo) start(name string, env []string, command string, args ...string) {
	if d.err != nil {
		return
	}
	logPath := filepath.Join(demoDir, name+".log")
	log, err := os.Create(logPath)
	if err != nil {
		d.err = fmt.Errorf("make the log of %s: %w", name, err)
		return
	}
	defer log.Close()
	cmd := exec.Command(command, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own: Ctrl-C reaches this process only, which then stops them in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	fmt.Printf("▸ start %s\n", name)
	if err := cmd.Start(); err != nil {
		d.err = fmt.Errorf("start %s: %w", name, err)
		return
	}
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	d.running = append(d.running, p)
	go func() {
		defer close(p.done)
		if err := cmd.Wait(); !p.retired.Load() {
			select {
			case d.ended <- fmt.Errorf("%s ended (%v); the end of %s:\n%s", name, err, logPath, tail(logPath)):
			default: // not the first
			}
		}
	}()
}

// retire ends a process, which may first finish what it is at.
func (d *demo) retire(name string) {
	for i, p := range d.running {
		if d.err == nil && p.name == name {
			d.running = slices.Delete(d.running, i, i+1)
			p.end(10 * time.Second)
			return
		}
	}
}

func (p *process) end(patience time.Duration) {
	p.retired.Store(true)
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// waitFor waits until a URL answers with 200.
func (d *demo) waitFor(url, what string) {
	d.poll(what+" to answer at "+url, func() bool {
		response, err := http.Get(url)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// waitForHeat waits until the agent has seen a hit.
func (d *demo) waitForHeat() {
	d.poll("the first heat", func() bool {
		response, err := http.Post(agentURL+"/gotherm.v1.AgentService/GetAgent", "application/json", strings.NewReader("{}"))
		if err != nil {
			return false
		}
		defer response.Body.Close()
		var agent struct {
			ProcessesWatched uint32
			Accounting       []struct{ Hits string }
		}
		if json.NewDecoder(response.Body).Decode(&agent) != nil {
			return false
		}
		return slices.ContainsFunc(agent.Accounting, func(a struct{ Hits string }) bool { return a.Hits != "" && a.Hits != "0" })
	})
}

func (d *demo) poll(what string, done func() bool) {
	if d.err != nil {
		return
	}
	fmt.Printf("▸ wait for %s\n", what)
	for range 300 {
		if done() {
			return
		}
		if d.sleep(200 * time.Millisecond); d.err != nil {
			return
		}
	}
	d.err = fmt.Errorf("waited a minute for %s; see the logs in %s", what, demoDir)
}

// sleep waits, unless a process ends or the user does not want to wait.
func (d *demo) sleep(duration time.Duration) {
	if d.err != nil {
		return
	}
	select {
	case d.err = <-d.ended:
	case <-d.signals:
		d.err = errors.New("interrupted")
	case <-time.After(duration):
	}
}

// startGrafana starts the Grafana at home with the provisioning of this
// repository, for the user of this machine alone.
func (d *demo) startGrafana(home string) (url string) {
	const address, port = "127.0.0.1", "3000"
	if d.err != nil {
		return ""
	}
	server := filepath.Join(home, "bin", "grafana")
	if _, err := os.Stat(server); err != nil {
		d.err = fmt.Errorf("GOTHERM_GRAFANA_HOME is %s, which has no bin/grafana: unpack or build a Grafana 12.4 or newer there", home)
		return ""
	}
	here, err := os.Getwd()
	if err != nil {
		d.err = err
		return ""
	}
	plugins := filepath.Join(here, demoDir, "plugins")
	link := filepath.Join(plugins, pluginID)
	if err := os.MkdirAll(plugins, 0o755); err != nil {
		d.err = fmt.Errorf("make the plugins folder: %w", err)
		return ""
	}
	if err := os.Symlink(filepath.Join(here, "dist"), link); err != nil && !errors.Is(err, fs.ErrExist) {
		d.err = fmt.Errorf("put the plugin where Grafana finds it: %w", err)
		return ""
	}
	d.start("grafana", []string{
		"GF_PATHS_DATA=" + filepath.Join(here, demoDir, "grafana"),
		"GF_PATHS_LOGS=" + filepath.Join(here, demoDir, "grafana"),
		"GF_PATHS_PLUGINS=" + plugins,
		"GF_PATHS_PROVISIONING=" + filepath.Join(here, "provisioning"),
		"GF_PLUGINS_ALLOW_LOADING_UNSIGNED_PLUGINS=gotherm-runtime-app,gotherm-runtime-datasource,gotherm-heatmap-panel",
		"GF_PLUGINS_PREINSTALL_DISABLED=true",
		"GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED=true",
		"GF_SERVER_HTTP_ADDR=" + address,
		"GF_SERVER_HTTP_PORT=" + port,
		"GF_AUTH_ANONYMOUS_ENABLED=true",
		"GF_AUTH_ANONYMOUS_ORG_ROLE=Admin",
		"GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH=" + filepath.Join(here, "provisioning/dashboards/go-heat.json"),
		"GF_ANALYTICS_REPORTING_ENABLED=false",
		"GF_ANALYTICS_CHECK_FOR_UPDATES=false",
		"GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES=false",
		"GF_NEWS_NEWS_FEED_ENABLED=false",
		"GOTHERM_AGENT_URL=" + agentURL,
	}, server, "server", "--homepath", home)
	url = "http://" + address + ":" + port
	d.waitFor(url+"/api/health", "Grafana")
	return url
}

// wait returns when the user has seen enough or a process has ended. Meanwhile
// it releases the shop anew: after a while, and when Enter is pressed.
func (d *demo) wait() error {
	var seconds <-chan time.Time
	if limit := os.Getenv("GOTHERM_DEMO_FOR"); limit != "" {
		duration, err := time.ParseDuration(limit)
		if err != nil {
			return fmt.Errorf("GOTHERM_DEMO_FOR is %q, must be a duration such as 30s", limit)
		}
		seconds = time.After(duration)
	}
	enter := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			enter <- struct{}{}
		}
	}()
	soon := time.After(releaseAfter)
	for d.err == nil {
		select {
		case d.err = <-d.ended:
		case <-d.signals:
			fmt.Println("\nStopping.")
			return nil
		case <-seconds:
			fmt.Println("\nStopping.")
			return nil
		case <-enter:
			d.release()
			soon = nil
		case <-soon:
			d.release()
			soon = nil
		}
	}
	return d.err
}

// stop ends all processes, the newest first. Mage gives a task five seconds after Ctrl-C.
func (d *demo) stop() {
	var ends sync.WaitGroup
	for _, p := range slices.Backward(d.running) {
		ends.Go(func() { p.end(4 * time.Second) })
	}
	ends.Wait()
}

// ------------------------------------------------- what a task needs to run

// requirement is something on the machine, and the Debian package it comes in.
type requirement struct {
	name, debian string
	there        func() bool
}

func tool(name string, debian ...string) requirement {
	return requirement{name, append(debian, name)[0], func() bool {
		_, err := exec.LookPath(name)
		if err != nil {
			// Debian keeps some administrators' tools where users' paths do not lead.
			_, err = os.Stat("/usr/sbin/" + name)
		}
		return err == nil
	}}
}

func header(path, debian string) requirement {
	return requirement{path, debian, func() bool {
		_, err := os.Stat(path)
		return err == nil
	}}
}

// need installs what is missing when it may, and names it when it may not.
func need(requirements ...requirement) error {
	var packages []string
	for _, r := range requirements {
		if !r.there() && !slices.Contains(packages, r.debian) {
			packages = append(packages, r.debian)
		}
	}
	if len(packages) == 0 {
		return nil
	}
	names := strings.Join(packages, " ")
	if _, err := os.Stat("/etc/debian_version"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("this needs the Debian packages %s (or what they are called on this system): install them, then run this again", names)
	}
	if err := step("read Debian's list of packages", "see that Debian's packages can be reached", exec.Command("apt-get", "update", "-qq")); err != nil {
		return err
	}
	install := exec.Command("apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)...)
	install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	return step("install "+names, "install them by hand, then run this again", install)
}

func needNode() error {
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		return errors.New("this needs Node.js 20 or newer with npm: install it, then run this again")
	}
	var major int
	if _, err := fmt.Sscanf(string(out), "v%d", &major); err != nil || major < 20 {
		return fmt.Errorf("Node.js is %s, must be 20 or newer", strings.TrimSpace(string(out)))
	}
	return nil
}

// --------------------------------------------------------- telling progress

func upToDate(what string) error {
	fmt.Printf("✓ %s is up to date\n", what)
	return nil
}

// timed says what is being done, and how long it took.
func timed(title string, do func() error) error {
	fmt.Printf("▸ %s\n", title)
	began := time.Now()
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	fmt.Printf("✓ %s (%s)\n", title, time.Since(began).Round(100*time.Millisecond))
	return nil
}

// step runs a command quietly: it tells each ten seconds that it is still at
// it, and shows what the command printed only when it fails.
func step(title, remedy string, cmd *exec.Cmd) error {
	return timed(title, func() error {
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		if err := cmd.Start(); err != nil {
			return err
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		began := time.Now()
		for {
			select {
			case err := <-done:
				if err == nil {
					return nil
				}
				fmt.Print(output.String())
				if remedy != "" {
					return fmt.Errorf("%w: %s", err, remedy)
				}
				return err
			case <-time.After(10 * time.Second):
				fmt.Printf("  … %s\n", time.Since(began).Round(time.Second))
			}
		}
	})
}

// shown runs a command whose output the user wants to see.
func shown(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// run runs a command and puts what it printed into the error.
func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

func tail(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
