package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
)

// These tests run the agent as its users do: the built binary, beside a real
// Go program that knows nothing of it.

// build builds a package once for all tests.
func build(t testing.TB, pkg string) string {
	t.Helper()
	binaries.Lock()
	defer binaries.Unlock()
	if path := binaries.of[pkg]; path != "" {
		return path
	}
	if binaries.dir == "" {
		dir, err := os.MkdirTemp("", "gotherm-agent-test")
		if err != nil {
			t.Fatal(err)
		}
		// Another user runs these as well.
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		binaries.dir = dir
	}
	path := filepath.Join(binaries.dir, "binary-"+strconv.Itoa(len(binaries.of)))
	if out, err := exec.Command("go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	binaries.of[pkg] = path
	return path
}

var binaries = struct {
	sync.Mutex
	dir string
	of  map[string]string
}{of: map[string]string{}}

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(binaries.dir)
	if err := target.RemoveBuilds(); err != nil {
		code = 1
	}
	os.Exit(code)
}

func needsRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("attaching probes, and becoming nobody, needs root")
	}
}

// program is a process of a test, and what it has said.
type program struct {
	*exec.Cmd
	t    testing.TB
	done chan struct{} // closed when it has ended
	mu   sync.Mutex
	said bytes.Buffer
}

func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// start starts a program, and ends it with the test.
func start(t testing.TB, change func(*exec.Cmd), path string, args ...string) *program {
	t.Helper()
	p := &program{Cmd: exec.Command(path, args...), t: t, done: make(chan struct{})}
	p.Stdout, p.Stderr = p, p
	p.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/", "TERM=xterm-256color"}
	if change != nil {
		change(p.Cmd)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.Wait(); close(p.done) }()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s %s said:\n%s", filepath.Base(path), strings.Join(args, " "), p.output())
		}
	})
	return p
}

// end sends a signal and waits for the end.
func (p *program) end(s os.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		p.t.Fatalf("30 s after %s the process still runs", s)
	}
}

func asNobody(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}

// eventually waits for what must come to be true, for as long as a busy machine may need.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	if !becomes(done) {
		t.Fatalf("waited a minute for %s", what)
	}
}

// becomes waits for a minute that something is done.
func becomes(done func() bool) bool {
	for range 600 {
		if done() {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

func loopbackAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// ask posts JSON to an agent, as curl would; nil when it does not answer.
func ask(address, method, body string) map[string]any {
	response, err := http.Post("http://"+address+"/gotherm.v1.AgentService/"+method, "application/json", strings.NewReader(body))
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	var answer map[string]any
	if json.NewDecoder(response.Body).Decode(&answer) != nil || response.StatusCode != http.StatusOK {
		return nil
	}
	return answer
}

// hits sums up the hits of a point in the last minute, by the value of a label.
func hits(address, pom, label string) map[string]int {
	return matching(address, pom, label, "")
}

// hitsOf sums up the hits of a service, by reason.
func hitsOf(address, pom, service string) map[string]int {
	return matching(address, pom, "reason", fmt.Sprintf(`,"matchers":[{"dimension":"service","values":[%q]}]`, service))
}

func matching(address, pom, label, matchers string) map[string]int {
	now := time.Now()
	answer := ask(address, "QueryHeat", fmt.Sprintf(`{"pom":%q,"start":%q,"end":%q,"step":"1s","groupBy":[%q]%s}`,
		pom, now.Add(-time.Minute).Format(time.RFC3339), now.Add(time.Second).Format(time.RFC3339), label, matchers))
	sum := map[string]int{}
	series, _ := answer["series"].([]any)
	for _, s := range series {
		s := s.(map[string]any)
		value := s["labels"].(map[string]any)[label].(string)
		for _, c := range s["columns"].([]any) {
			for _, n := range c.(map[string]any)["counts"].([]any) {
				n, err := strconv.Atoi(n.(string))
				if err != nil {
					panic(err)
				}
				sum[value] += n
			}
		}
	}
	return sum
}

// kernelObjects are the programs and links that a process holds in the kernel, by id.
func kernelObjects(t testing.TB, pid int) (programs []ebpf.ProgramID, links []link.ID) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			continue // closed meanwhile
		}
		isLink := bytes.Contains(content, []byte("link_id:"))
		lines := bufio.NewScanner(bytes.NewReader(content))
		for lines.Scan() {
			key, value, _ := strings.Cut(lines.Text(), ":")
			id, _ := strconv.Atoi(strings.TrimSpace(value))
			switch {
			case key == "link_id":
				links = append(links, link.ID(id))
			case key == "prog_id" && !isLink:
				programs = append(programs, ebpf.ProgramID(id))
			}
		}
	}
	return programs, links
}

func gone(programs []ebpf.ProgramID, links []link.ID) bool {
	for _, id := range programs {
		p, err := ebpf.NewProgramFromID(id)
		if err == nil {
			p.Close()
		}
		if !errors.Is(err, os.ErrNotExist) {
			return false
		}
	}
	for _, id := range links {
		l, err := link.NewFromID(id)
		if err == nil {
			l.Close()
		}
		if !errors.Is(err, os.ErrNotExist) {
			return false
		}
	}
	return true
}

// courier is where the goroutines of churn start: the compiler wraps a go
// statement with arguments in a function of this name.
const courier = "main.main.gowrap1"

// churn starts the program to watch.
func churn(t testing.TB, change func(*exec.Cmd)) *program {
	t.Helper()
	return start(t, change, build(t, "./testdata/churn"))
}

// collections is how many garbage collections churn has said it has had.
func collections(p *program) int {
	lines := strings.Fields(p.output())
	if len(lines) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(lines[len(lines)-1])
	return n
}

func TestAGoProgramIsWatchedQueriedAndLeftInPeace(t *testing.T) {
	needsRoot(t)
	for _, end := range []os.Signal{unix.SIGTERM, unix.SIGKILL} {
		t.Run(end.String(), func(t *testing.T) {
			target := churn(t, func(c *exec.Cmd) {
				c.Env = append(c.Env, "OTEL_SERVICE_NAME=churn", "OTEL_RESOURCE_ATTRIBUTES=service.version=v7")
			})
			address := loopbackAddress(t)
			agent := start(t, nil, build(t, "."), "run", "--pid", strconv.Itoa(target.Process.Pid), "--listen", address, "--budget", "50%")

			eventually(t, "both pauses of a collection", func() bool {
				n := hits(address, "gc.stw", "reason")
				return n["mark termination"] > 3 && n["sweep termination"] > 3 && n["read mem stats"] > 3
			})
			eventually(t, "latencies", func() bool { return hits(address, "sched.latency", "service")["churn"] > 10 })
			if ask(address, "RequestAttach", `{"pom":"goroutine.create","duration":"60s","matchers":[{"dimension":"service","values":["churn"]}]}`) == nil {
				t.Fatal("the agent does not attach goroutine.create")
			}
			eventually(t, "goroutines by start function", func() bool { return hits(address, "goroutine.create", "function")[courier] > 20 })

			processes := ask(address, "ListProcesses", `{}`)["processes"].([]any)
			if len(processes) != 1 {
				t.Errorf("%d processes, want the one that was asked for: %v", len(processes), processes)
			}
			p := processes[0].(map[string]any)
			if p["service"] != "churn" || p["version"] != "v7" || p["refused"] != nil {
				t.Errorf("the process is %v", p)
			}
			releases, _ := ask(address, "ListReleases", `{"service":"churn"}`)["releases"].([]any)
			if len(releases) != 1 || releases[0].(map[string]any)["version"] != "v7" {
				t.Errorf("releases %v, want one of v7", releases)
			}
			eventually(t, "goroutines in the grid", func() bool { return namedInGrid(address, "sched.latency")["main."] > 0 })
			streamedIsWhatIsQueriedLater(t, address)
			if got := lookOnce(t, address, "gc.stw"); !strings.Contains(got, "gc.stw   churn v7") || !strings.ContainsAny(got, "░▒▓█") {
				t.Errorf("top shows\n%s", got)
			}
			if got := lookOnce(t, address, "goroutine.create"); !strings.Contains(got, courier) {
				t.Errorf("top shows\n%s", got)
			}

			programs, links := kernelObjects(t, agent.Process.Pid)
			if len(programs) == 0 || len(links) == 0 {
				t.Fatalf("the agent holds %d programs and %d links: nothing is proved by their end", len(programs), len(links))
			}
			agent.end(end)
			if code := agent.ProcessState.ExitCode(); end == unix.SIGTERM && code != 0 {
				t.Errorf("the agent ends with %d", code)
			}
			// The kernel tears down what a dead process held, in its own time.
			eventually(t, "the kernel to forget the agent", func() bool { return gone(programs, links) })
			before := collections(target)
			eventually(t, "the program to collect garbage after the agent is gone", func() bool { return collections(target) > before+2 })
		})
	}
}

// What starts beside a running agent is watched within its first second, and so
// is what it becomes by exec. The program says so itself, and not a clock: it
// reads its memory statistics when it starts and after each ten rounds of 10 ms
// or more, and says so each time. The agent may miss those of the first second.
func TestANewProcessIsWatchedWithinASecondOfItsStart(t *testing.T) {
	needsRoot(t)
	path := build(t, "./testdata/churn")
	address := loopbackAddress(t)
	start(t, nil, build(t, "."), "run", "--exe", path, "--listen", address)
	eventually(t, "the agent to answer", func() bool { return ask(address, "ListProcesses", `{}`) != nil })
	for _, c := range []struct {
		how  string
		argv []string
	}{
		{"started", []string{path}},
		{"become by exec", []string{"/bin/sh", "-c", "sleep 1; exec " + path}},
	} {
		target := start(t, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "OTEL_SERVICE_NAME="+c.how) }, c.argv[0], c.argv[1:]...)
		readings := func() int { return strings.Count(target.output(), "\n") }
		eventually(t, "the program to go on for a while", func() bool { return readings() >= 25 })
		if err := target.Process.Signal(unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		const perSecond = 10
		var counted int
		if !becomes(func() bool {
			counted = hitsOf(address, "gc.stw", c.how)["read mem stats"]
			return counted >= readings()-perSecond
		}) {
			t.Fatalf("%s: %d of %d readings were counted; of all services: %v; processes: %v", c.how, counted, readings(),
				matching(address, "gc.stw", "service", ""), ask(address, "ListProcesses", `{}`))
		}
		if counted > readings()+1 { // the last may not have been said
			t.Errorf("%s: %d readings were counted, there were %d", c.how, counted, readings())
		}
		t.Logf("%s: of %d readings, ten a second, %d were missed", c.how, readings(), readings()-counted)
		_ = target.Process.Kill()
	}
}

// namedInGrid counts the goroutines that the grid of the last minute names, by
// the package of their start function.
func namedInGrid(address, pom string) map[string]int {
	now := time.Now()
	answer := ask(address, "QueryGrid", fmt.Sprintf(`{"pom":%q,"start":%q,"end":%q}`, pom, now.Add(-time.Minute).Format(time.RFC3339), now.Format(time.RFC3339)))
	named := map[string]int{}
	cells, _ := answer["cells"].([]any)
	for _, c := range cells {
		for _, g := range c.(map[string]any)["goroutines"].([]any) {
			function, _ := g.(map[string]any)["startFunction"].(string)
			pkg, _, _ := strings.Cut(function, ".")
			named[pkg+"."]++
		}
	}
	return named
}

// streamedIsWhatIsQueriedLater takes columns from the live stream, and asks for the same time after it.
func streamedIsWhatIsQueriedLater(t *testing.T, address string) {
	t.Helper()
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, "http://"+address)
	stream, err := client.WatchHeat(t.Context(), connect.NewRequest(&gothermpb.WatchHeatRequest{
		Pom: "sched.latency", Step: durationpb.New(time.Second), GroupBy: []string{"function", "node"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var streamed []*gothermpb.WatchHeatResponse
	for len(streamed) < 4 && stream.Receive() {
		streamed = append(streamed, proto.CloneOf(stream.Msg()))
	}
	if len(streamed) < 4 {
		t.Fatalf("the stream ends after %d columns: %v", len(streamed), stream.Err())
	}
	series := 0
	for _, column := range streamed {
		later, err := client.QueryHeat(t.Context(), connect.NewRequest(&gothermpb.QueryHeatRequest{
			Pom: "sched.latency", Step: column.Step, GroupBy: []string{"function", "node"},
			Start: column.ColumnStart, End: timestamppb.New(column.ColumnStart.AsTime().Add(time.Second)),
		}))
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(later.Msg, &gothermpb.QueryHeatResponse{Series: column.Series, Schema: later.Msg.Schema, Unit: column.Unit, Step: column.Step}) {
			t.Errorf("column %s: streamed %v, a query says %v", column.ColumnStart.AsTime(), column.Series, later.Msg.Series)
		}
		series += len(column.Series)
	}
	if series == 0 {
		t.Error("nothing was hit in the columns: nothing is proved")
	}
}

// lookOnce is what top prints into a pipe.
func lookOnce(t *testing.T, address, pom string) string {
	t.Helper()
	out, err := exec.Command(build(t, "."), "top", "--agent", "http://"+address, "--pom", pom, "--for", "1500ms").CombinedOutput()
	if err != nil {
		t.Fatalf("top: %v\n%s", err, out)
	}
	return string(out)
}

func TestWithoutPrivilegesTheAgentSaysWhatIsMissingAndListsProcesses(t *testing.T) {
	needsRoot(t) // to become nobody
	target := churn(t, asNobody)
	address := loopbackAddress(t)
	agent := start(t, asNobody, build(t, "."), "run", "--pid", strconv.Itoa(target.Process.Pid), "--listen", address)
	var process map[string]any
	eventually(t, "the agent to list the process", func() bool {
		processes, _ := ask(address, "ListProcesses", `{}`)["processes"].([]any)
		if len(processes) != 1 {
			return false
		}
		process = processes[0].(map[string]any)
		return true
	})
	if process["goVersion"] == nil {
		t.Errorf("the process is %v, want its Go version at least", process)
	}
	if refused := fmt.Sprint(process["refused"]); !strings.Contains(refused, "CAP_BPF") {
		t.Errorf("the process is refused because of %q, want CAP_BPF", refused)
	}
	for _, p := range process["points"].([]any) {
		p := p.(map[string]any)
		if reason := fmt.Sprint(p["reason"]); p["state"] != "STATE_REFUSED" || !strings.Contains(reason, "CAP_BPF") {
			t.Errorf("%v is %v because of %q, want refused because of CAP_BPF", p["pom"], p["state"], reason)
		}
	}
	if said := agent.output(); !strings.Contains(said, "CAP_BPF") || !strings.Contains(said, "remedy") {
		t.Errorf("the agent said %q, want CAP_BPF and the remedy", said)
	}
	agent.end(unix.SIGTERM)
	if code := agent.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the agent ends with %d", code)
	}
}

func TestTheDoctorsVerdictIsItsExitCode(t *testing.T) {
	needsRoot(t)
	doctor := func(change func(*exec.Cmd)) (diagnosis, int) {
		cmd := exec.Command(build(t, "."), "doctor", "--json")
		if change != nil {
			change(cmd)
		}
		out, err := cmd.Output()
		if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
			t.Fatal(err)
		}
		var d diagnosis
		if err := json.Unmarshal(out, &d); err != nil {
			t.Fatalf("doctor says %q: %v", out, err)
		}
		return d, cmd.ProcessState.ExitCode()
	}
	if d, code := doctor(nil); !d.Watchable || code != 0 || len(d.Points) == 0 || !d.Points[0].OK {
		t.Errorf("as root: exit %d, %+v", code, d)
	}
	d, code := doctor(asNobody)
	if d.Watchable || code != 1 || d.Error == "" {
		t.Errorf("as nobody: exit %d, %+v", code, d)
	}
	remedies := 0
	for _, f := range d.Findings {
		if f.Name == "CAP_BPF" && f.Remedy != "" {
			remedies++
		}
	}
	if remedies != 1 {
		t.Errorf("as nobody: no remedy for CAP_BPF in %+v", d.Findings)
	}
	var table strings.Builder
	if err := d.print(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CAP_BPF", "MISSING", "gc.stw", "Remedies", "setcap"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, table.String())
		}
	}
}

func TestListSaysWhatItSeesAndWhyNot(t *testing.T) {
	needsRoot(t)
	target := churn(t, func(c *exec.Cmd) { c.Env = append(c.Env, "OTEL_SERVICE_NAME=churn") })
	sleeper := start(t, nil, "/bin/sleep", "1000") // no Go
	var list []listed
	eventually(t, "the program to be seen", func() bool {
		out, err := exec.Command(build(t, "."), "list", "--json", "--pid", strconv.Itoa(target.Process.Pid), "--pid", strconv.Itoa(sleeper.Process.Pid)).Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &list); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		return len(list) == 2
	})
	for _, p := range list {
		switch p.PID {
		case target.Process.Pid:
			if !p.Watchable || p.Service != "churn" || !strings.HasPrefix(p.GoVersion, "go1.") {
				t.Errorf("churn is listed as %+v", p)
			}
		case sleeper.Process.Pid:
			if p.Watchable || p.Refused == "" {
				t.Errorf("sleep is listed as %+v", p)
			}
		default:
			t.Errorf("listed though not asked for: %+v", p)
		}
	}
	address := loopbackAddress(t)
	start(t, nil, build(t, "."), "run", "--pid", strconv.Itoa(target.Process.Pid), "--listen", address)
	eventually(t, "an agent to say that probes fire", func() bool {
		out, err := exec.Command(build(t, "."), "list", "--json", "--agent", "http://"+address).Output()
		list = nil
		return err == nil && json.Unmarshal(out, &list) == nil && len(list) == 1 && list[0].Health == "firing" && list[0].Service == "churn"
	})
	list = nil
	mine := churn(t, asNobody)
	eventually(t, "nobody's program to be seen by nobody", func() bool {
		cmd := exec.Command(build(t, "."), "list", "--json", "--pid", strconv.Itoa(mine.Process.Pid))
		asNobody(cmd)
		out, err := cmd.Output()
		return err == nil && json.Unmarshal(out, &list) == nil && len(list) == 1 && list[0].GoVersion != ""
	})
	if list[0].Watchable || !strings.Contains(list[0].Refused, "CAP_BPF") {
		t.Errorf("nobody is told %+v, want not watchable for lack of CAP_BPF", list[0])
	}
}

func TestBadOptionsAreRefusedInASentence(t *testing.T) {
	for want, args := range map[string][]string{
		"add --tls-cert and --tls-key, and --token-file or --client-ca": {"run", "--listen", "0.0.0.0:0"},
		"pid -1":     {"run", "--listen", "127.0.0.1:0", "--pid=-1"},
		"port 70000": {"list", "--port", "70000"},
		"glob \"[\"": {"list", "--exe", "["},
		"--pom is \"gc.naps\", must be one of gc.stw": {"top", "--pom", "gc.naps", "--pid", strconv.Itoa(os.Getpid())},
		"connection refused":                          {"top", "--agent", "http://127.0.0.1:1"},
	} {
		out, err := exec.Command(build(t, "."), args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v, said %q, want %q", args, err, out, want)
		}
	}
}

// terminal is a pseudo-terminal: the side of the person at it.
func terminal(t *testing.T) (person, tty *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return person, tty
}

func TestTopDrawsOnATerminalObeysKeysAndCleansUp(t *testing.T) {
	needsRoot(t)
	target := churn(t, func(c *exec.Cmd) { c.Env = append(c.Env, "OTEL_SERVICE_NAME=churn") })
	person, tty := terminal(t)
	resize := func(rows, columns uint16) {
		if err := unix.IoctlSetWinsize(int(person.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
			t.Fatal(err)
		}
	}
	resize(24, 80)
	screen := &program{}
	go io.Copy(screen, person)
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	address := loopbackAddress(t)
	// All that the target does is scheduling: with the usual budget it is watched now and then.
	start(t, nil, build(t, "."), "run", "--pid", strconv.Itoa(target.Process.Pid), "--listen", address, "--budget", "50%")
	eventually(t, "hits", func() bool { return hits(address, "sched.latency", "service")["churn"] > 10 })
	top := start(t, func(c *exec.Cmd) { c.Stdin, c.Stdout = tty, tty }, build(t, "."), "top", "--agent", "http://"+address)

	seen := func(what string) func() bool { return func() bool { return strings.Contains(screen.output(), what) } }
	eventually(t, "the other screen", seen("\x1b[?1049h"))
	eventually(t, "colours", seen("\x1b[38;5;"))
	eventually(t, "the first point", seen("sched.latency   churn"))
	person.WriteString("p")
	eventually(t, "the next point", seen("sched.latency.exact   churn"))
	person.WriteString("p")
	eventually(t, "the one after it", seen("goroutine.create   churn"))
	eventually(t, "what it was attached for", seen(courier))
	person.WriteString("n")
	resize(50, 132)
	if err := top.Process.Signal(unix.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a line as wide as the new size", seen(strings.Repeat("─", 90)))
	person.WriteString("q")
	<-top.done
	if code := top.ProcessState.ExitCode(); code != 0 {
		t.Errorf("top ends with %d", code)
	}
	eventually(t, "the first screen and its cursor", seen("\x1b[?25h\x1b[?1049l"))
	after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal was left as %+v, was %+v (%v)", after, before, err)
	}
}

func TestTopWatchesByItselfWhereNoAgentAnswers(t *testing.T) {
	needsRoot(t)
	if l, err := net.Listen("tcp", strings.TrimPrefix(defaultAgent, "http://")); err != nil {
		t.Skip("something answers on the agent's port on this machine: top asks that")
	} else {
		l.Close()
	}
	target := churn(t, func(c *exec.Cmd) { c.Env = append(c.Env, "OTEL_SERVICE_NAME=churn") })
	out, err := exec.Command(build(t, "."), "top", "--pid", strconv.Itoa(target.Process.Pid), "--for", "6s").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "sched.latency   churn") || !strings.ContainsAny(string(out), "░▒▓█") {
		t.Errorf("%v\n%s", err, out)
	}
}
