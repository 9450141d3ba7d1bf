package stages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/trace"
	"strconv"
	"testing"

	"github.com/google/pprof/profile"
)

// recording is what examples/mapreduce writes down of some rounds: its trace,
// its CPU profile, and what its runtime itself says.
type recording struct {
	trace                  []byte
	profile                *profile.Profile
	allocated, collections uint64
}

// recordJob runs the example.
func recordJob(t testing.TB, rounds, size int) recording {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "mapreduce")
	if out, err := exec.Command("go", "build", "-o", program, "../../../examples/mapreduce").CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	job := exec.Command(program, "--listen", "127.0.0.1:0", "--record", dir, "--rounds", strconv.Itoa(rounds), "--size", strconv.Itoa(size))
	if out, err := job.CombinedOutput(); err != nil {
		t.Fatalf("run the example: %v\n%s", err, out)
	}
	var r recording
	var err error
	if r.trace, err = os.ReadFile(filepath.Join(dir, "trace")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "profile"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if r.profile, err = profile.Parse(f); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "metrics"))
	if err != nil {
		t.Fatal(err)
	}
	var measured struct{ Allocated, Collections uint64 }
	if err := json.Unmarshal(text, &measured); err != nil {
		t.Fatal(err)
	}
	r.allocated, r.collections = measured.Allocated, measured.Collections
	return r
}

// fused is the report of a trace that has none of the mistakes tested for here.
func fused(t testing.TB, trace []byte) *Report {
	t.Helper()
	r, err := Fuse(bytes.NewReader(trace), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	var sum Usage
	for _, s := range r.Stages {
		sum.Add(s.Usage)
		var columns, partitions Usage
		for _, u := range s.Columns {
			columns.Add(u)
		}
		for _, p := range s.Partitions {
			partitions.Add(p.Usage)
		}
		if columns != s.Usage {
			t.Errorf("the columns of stage %q are %+v together, the stage is %+v", s.Name, columns, s.Usage)
		}
		if partitions.Samples > s.Samples || partitions.Allocated > s.Allocated || partitions.Collections > s.Collections {
			t.Errorf("the partitions of stage %q are %+v together, the stage is %+v", s.Name, partitions, s.Usage)
		}
		if len(s.Columns) != len(r.Columns) {
			t.Errorf("stage %q has %d columns, the report %d", s.Name, len(s.Columns), len(r.Columns))
		}
	}
	if sum != r.Total {
		t.Errorf("stages are %+v together, the total is %+v", sum, r.Total)
	}
	return r
}

// traced is the execution trace of what is done meanwhile.
func traced(t testing.TB, do func()) []byte {
	t.Helper()
	var to bytes.Buffer
	if err := trace.Start(&to); err != nil {
		t.Fatal(err)
	}
	allocate(1) // so that the size of the heap is known
	do()
	trace.Stop()
	return to.Bytes()
}

func (r *Report) stage(t testing.TB, name string) Stage {
	t.Helper()
	for _, s := range r.Stages {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no stage %q: %v", name, r.names())
	return Stage{}
}

func (r *Report) names() (names []string) {
	for _, s := range r.Stages {
		names = append(names, fmt.Sprintf("%q", s.Name))
	}
	return names
}
