package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/profile/stages"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

func buildMapReduce(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mapreduce")
	if out, err := exec.Command("go", "build", "-o", path, "../examples/mapreduce").CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	return path
}

// checkJob checks that the stages of the job are there, and that all samples are where its labels say.
func checkJob(t *testing.T, r *stages.Report, matches []stages.Match) {
	t.Helper()
	var names []string
	for _, s := range r.Stages {
		names = append(names, s.Name)
	}
	for _, name := range []string{"map", "shuffle", "reduce"} {
		if !slices.Contains(names, name) {
			t.Errorf("stage %s is missing: %v", name, names)
		}
	}
	// The runtime's trace misses some of the samples that its profile has, of its
	// own work most of all: 3 of 323 have been seen.
	if r.Total.Samples == 0 || stages.Agreement(matches) < 0.96 {
		t.Errorf("trace and profile agree on %g of %d samples: %v", stages.Agreement(matches), r.Total.Samples, matches)
	}
	var table bytes.Buffer
	if err := printStages(&table, r, matches); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"stage  CPU %  alloc MB/s", "shuffle", "labels agree on the stage of"} {
		if !strings.Contains(table.String(), part) {
			t.Errorf("%q is not in the table:\n%s", part, &table)
		}
	}
}

func TestStagesOfAProcessAreFound(t *testing.T) {
	job := exec.Command(buildMapReduce(t), "--listen", "127.0.0.1:0", "--size", "200000")
	stderr, err := job.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := job.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		job.Process.Kill()
		job.Wait()
	}()
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "serving address=") {
	}
	_, address, _ := strings.Cut(lines.Text(), "serving address=")
	go io.Copy(io.Discard, stderr)
	for _, c := range []stagesCommand{{PID: job.Process.Pid, Seconds: 2}, {URL: "http://" + address + "/debug/pprof/", Seconds: 2}} {
		report, matches, err := c.collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		checkJob(t, report, matches)
	}
}

func TestStagesOfFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	job := exec.Command(buildMapReduce(t), "--listen", "127.0.0.1:0", "--size", "400000", "--rounds", "2", "--record", dir)
	if out, err := job.CombinedOutput(); err != nil {
		t.Fatalf("run the example: %v\n%s", err, out)
	}
	c := stagesCommand{Trace: filepath.Join(dir, "trace"), Profile: filepath.Join(dir, "profile")}
	report, matches, err := c.collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkJob(t, report, matches)

	c.Output = filepath.Join(dir, "stages.json")
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(c.Output)
	if err != nil {
		t.Fatal(err)
	}
	// They are read as Grafana does.
	var frames data.Frames
	if err := json.Unmarshal(written, &frames); err != nil || len(frames) != 3 {
		t.Fatalf("%d frames, error %v; the file begins with %.200s", len(frames), err, written)
	}
	table, heat := frames[0], frames[1]
	if table.Rows() != len(report.Stages) || table.Fields[0].At(0) != report.Stages[0].Name || heat.Rows() != len(report.Columns) || len(heat.Fields) != 1+len(report.Stages) {
		t.Errorf("of %d stages in %d columns there are a table of %d rows, the first of %v, and heat of %d rows and %d fields",
			len(report.Stages), len(report.Columns), table.Rows(), table.Fields[0].At(0), heat.Rows(), len(heat.Fields))
	}
	if at, began := heat.Fields[0].At(0).(time.Time), report.Began.Add(report.Width); at.Sub(began).Abs() > time.Millisecond {
		t.Errorf("the first column ends at %s, want %s", at, began)
	}
}

func TestStagesThatCanNotBeHadSayWhy(t *testing.T) {
	silent := exec.Command("sleep", "60")
	if err := silent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		silent.Process.Kill()
		silent.Wait()
	}()
	none := filepath.Join(t.TempDir(), "none")
	if err := os.WriteFile(none, []byte("<html>this is a page</html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]stagesCommand{
		"listens on no address on loopback: name it with --url": {PID: silent.Process.Pid, Seconds: 1},
		"--seconds is 0, must be from 1 to 300":                 {PID: 1},
		"--seconds is 301, must be from 1 to 300":               {URL: "http://127.0.0.1:1/", Seconds: 301},
		"does not answer":                   {URL: "http://127.0.0.1:1/debug/pprof/", Seconds: 1},
		`it begins with "<html>this is a "`: {Trace: none},
		"no such file":                      {Trace: none + "here"},
		"--profile is of a --trace":         {PID: 1, Seconds: 1, Profile: none},
	} {
		if _, _, err := c.collect(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error is %v, want %q", c, err, want)
		}
	}
}

func TestShortDurationsHaveThreeDigits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 999: "999ns", 123456: "123µs", 1234567890: "1.23s", 61 * time.Second: "1m1s",
	} {
		if got := short(d); got != want {
			t.Errorf("%d ns is %s, want %s", d, got, want)
		}
	}
}
