package stages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/pprof/profile"

	"github.com/gotherm/gotherm/pkg/instrument"
)

// The trace's regions and the profile's labels are two witnesses of one job.
func TestEachSampleOfAJobIsInTheStageThatItsLabelSays(t *testing.T) {
	job := recordJob(t, 3, 400_000)
	r := fused(t, job.trace)
	matches, err := r.Check(job.profile)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("stage, trace, profile: %v", matches)
	// Label and region are set one after the other: a sample may come between.
	const between = 1
	var same, labelled uint64
	for _, m := range matches {
		same += min(m.Trace, m.Profile)
		labelled += m.Profile
	}
	if same+between < labelled || r.Total.Samples == 0 || r.Total.Samples > labelled+between {
		t.Errorf("of %d samples in the profile and %d in the trace %d are in the same stage", labelled, r.Total.Samples, same)
	}
	if ratio := float64(r.Total.Allocated) / float64(job.allocated); math.Abs(ratio-1) > 0.05 {
		t.Errorf("%d bytes were allocated by the trace, %d by runtime/metrics: ratio %.3f", r.Total.Allocated, job.allocated, ratio)
	}
	if difference := int64(r.Total.Collections) - int64(job.collections); difference < -2 || difference > 2 {
		t.Errorf("%d collections by the trace, %d by runtime/metrics", r.Total.Collections, job.collections)
	}
	names := r.names()
	slices.Sort(names)
	if want := []string{`""`, `"map"`, `"output"`, `"reduce"`, `"shuffle"`, `"split"`}; !slices.Equal(names, want) {
		t.Errorf("stages are %v, want %v", names, want)
	}
	for _, name := range []string{"split", "map", "output"} {
		if s := r.stage(t, name); s.N != 3 || len(s.Partitions) != 0 {
			t.Errorf("%s was done %d times in %d partitions, want 3 and none", name, s.N, len(s.Partitions))
		}
	}
	// Its workers begin no stage: they were started in it.
	if s := r.stage(t, "map"); s.Goroutines != 1+3*uint64(min(runtime.GOMAXPROCS(0), 12)) {
		t.Errorf("map had %d goroutines, want that of the job and in each round a worker for each CPU", s.Goroutines)
	}
	for _, name := range []string{"shuffle", "reduce"} {
		if s := r.stage(t, name); s.N != 3*8 || len(s.Partitions) != 8 {
			t.Errorf("%s was done %d times in %d partitions, want 24 and 8", name, s.N, len(s.Partitions))
		}
	}
	// The partition of the most frequent word has more to sort than any other.
	partitions := r.stage(t, "shuffle").Partitions
	most := slices.MaxFunc(partitions, func(a, b Partition) int { return int(a.Allocated) - int(b.Allocated) })
	var all []uint64
	for _, p := range partitions {
		all = append(all, p.Allocated)
	}
	slices.Sort(all)
	if most.Name != "partition=5" || most.Allocated < 3*all[len(all)/2] {
		t.Errorf("%s allocates most, %d bytes; want partition=5 and three times the median of %v", most.Name, most.Allocated, all)
	}
}

func within(name string, do func(context.Context), attributes ...string) {
	ctx, stage := instrument.Stage(context.Background(), name, attributes...)
	defer stage.End()
	do(ctx)
}

func wait(do func()) {
	var done sync.WaitGroup
	done.Go(do)
	done.Wait()
}

var sink [][]byte

func allocate(mebibytes int) {
	for range mebibytes {
		sink = append(sink, make([]byte, 1<<20))
	}
	sink = nil
}

func allocatedAbout(t *testing.T, u Usage, mebibytes uint64) {
	t.Helper()
	// What the trace itself and the test take comes on top.
	if u.Allocated < mebibytes<<20 || u.Allocated > (mebibytes+2)<<20 {
		t.Errorf("%d bytes were allocated, want %d MiB", u.Allocated, mebibytes)
	}
}

func TestAGoroutineIsInTheStageThatStartedItUntilItBeginsItsOwn(t *testing.T) {
	r := fused(t, traced(t, func() {
		within("outer", func(context.Context) {
			wait(func() {
				allocate(3)
				wait(func() { allocate(2) }) // a grandchild
				within("inner", func(context.Context) { allocate(7) })
				allocate(4)
			})
		})
		allocate(5)
	}))
	outer, inner, outside := r.stage(t, "outer"), r.stage(t, "inner"), r.stage(t, Outside)
	allocatedAbout(t, outer.Usage, 3+2+4)
	allocatedAbout(t, inner.Usage, 7)
	allocatedAbout(t, outside.Usage, 5)
	if outer.Goroutines != 3 || inner.Goroutines != 1 {
		t.Errorf("outer had %d goroutines and inner %d, want 3 and 1", outer.Goroutines, inner.Goroutines)
	}
	if outer.N != 1 || inner.N != 1 || outer.Total < inner.Total {
		t.Errorf("outer took %v, inner within took %v", outer.Durations, inner.Durations)
	}
}

func TestAStageThatBeganBeforeTheTraceIsKnownByItsEnd(t *testing.T) {
	_, around := instrument.Stage(context.Background(), "around")
	_, within := instrument.Stage(context.Background(), "within")
	recorded := traced(t, func() {
		allocate(3)
		wait(func() { allocate(2) })
		// A stage that begins meanwhile does not hide it.
		_, inner := instrument.Stage(context.Background(), "inner")
		allocate(1)
		inner.End()
		allocate(1)
		within.End()
		allocate(4)
		around.End()
		allocate(9)
	})
	r := fused(t, recorded)
	// It began with an allocation of which it is not known how large it was.
	allocatedAbout(t, r.stage(t, "within").Usage, 3+2+1)
	allocatedAbout(t, r.stage(t, "inner").Usage, 1)
	allocatedAbout(t, r.stage(t, "around").Usage, 4)
	allocatedAbout(t, r.stage(t, Outside).Usage, 9)
	if s := r.stage(t, "within"); s.N != 0 || s.Goroutines != 1 {
		t.Errorf("within has %d durations and %d goroutines, want none, for nobody saw it begin, and 1", s.N, s.Goroutines)
	}
}

func TestPartitionsAreOfTheirStageAndWhatItBegins(t *testing.T) {
	r := fused(t, traced(t, func() {
		for i, mebibytes := range []int{1, 1, 8, 1} {
			within("sort", func(ctx context.Context) {
				allocate(mebibytes)
				_, merge := instrument.Stage(ctx, "merge")
				wait(func() { allocate(2) })
				merge.End()
			}, "partition", string(rune('0'+i)), "of", "big table")
		}
	}))
	sort, merge := r.stage(t, "sort"), r.stage(t, "merge")
	if len(sort.Partitions) != 4 || len(merge.Partitions) != 4 {
		t.Fatalf("partitions are %v and %v, want 4 of each", sort.Partitions, merge.Partitions)
	}
	for _, p := range sort.Partitions {
		want := uint64(1)
		if p.Name == "partition=2 of=big\u00a0table" {
			want = 8
		}
		allocatedAbout(t, p.Usage, want)
	}
	for _, p := range merge.Partitions {
		allocatedAbout(t, p.Usage, 2)
		if p.N != 1 {
			t.Errorf("%s of merge was done %d times, want once", p.Name, p.N)
		}
	}
}

func TestPartitionsThatTakeThreeTimesTheMedianAreOutliers(t *testing.T) {
	partitions := func(totals ...time.Duration) (all []Partition) {
		for _, total := range totals {
			all = append(all, Partition{Name: total.String(), Durations: Durations{Total: total}})
		}
		compare(all)
		return all
	}
	for _, p := range partitions(time.Second, 3*time.Second, time.Second, 2*time.Second, time.Second) {
		if want := p.Total == 3*time.Second; p.Outlier != want || p.Times != p.Total.Seconds() {
			t.Errorf("%+v: outlier %v, want %v", p, p.Outlier, want)
		}
	}
	for _, p := range append(partitions(time.Second, time.Minute), partitions(0, 0, time.Minute)...) {
		if p.Outlier {
			t.Errorf("%+v is an outlier, there is no median to speak of", p)
		}
	}
}

// A goroutine that runs and sleeps in the kernel has no CPU time.
func TestRunningIsNotCPUTime(t *testing.T) {
	var to bytes.Buffer
	recorded := traced(t, func() {
		if err := pprof.StartCPUProfile(&to); err != nil {
			t.Fatal(err)
		}
		within("burn", func(context.Context) {
			for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
			}
		})
		within("sleep", func(context.Context) { time.Sleep(300 * time.Millisecond) })
		pprof.StopCPUProfile()
	})
	r := fused(t, recorded)
	cpu, err := profile.Parse(&to)
	if err != nil {
		t.Fatal(err)
	}
	matches, err := r.Check(cpu)
	if err != nil || Agreement(matches) != 1 {
		t.Errorf("agreement is %g, want 1: %v, error %v", Agreement(matches), matches, err)
	}
	burn, sleep := r.stage(t, "burn"), r.stage(t, "sleep")
	if burn.Samples == 0 || sleep.Samples > burn.Samples/10 {
		t.Errorf("burn has %d samples, sleep %d", burn.Samples, sleep.Samples)
	}
	if share, ok := r.CPUShare(burn.Usage, r.Total); !ok || share < 0.5 {
		t.Errorf("burn has a share of %g of the CPU time", share)
	}
}

func TestATraceWithoutAProfileHasNoCPUShares(t *testing.T) {
	r := fused(t, traced(t, func() { within("work", func(context.Context) { allocate(1) }) }))
	if _, ok := r.CPUShare(r.stage(t, "work").Usage, r.Total); ok || r.Total.Samples != 0 {
		t.Errorf("there are %d samples, and nobody took any", r.Total.Samples)
	}
	heap := &profile.Profile{SampleType: []*profile.ValueType{{Type: "inuse_space", Unit: "bytes"}}}
	if _, err := r.Check(heap); err == nil || !strings.Contains(err.Error(), "it is no CPU profile of Go") {
		t.Errorf("check against a heap profile: error %v", err)
	}
}

func TestAFlightRecordingIsRead(t *testing.T) {
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{})
	if err := recorder.Start(); err != nil {
		t.Fatal(err)
	}
	defer recorder.Stop()
	allocate(1) // so that the size of the heap is known
	within("flight", func(context.Context) { allocate(2) })
	var to bytes.Buffer
	if _, err := recorder.WriteTo(&to); err != nil {
		t.Fatal(err)
	}
	r := fused(t, to.Bytes())
	allocatedAbout(t, r.stage(t, "flight").Usage, 2)
	if r.Began.IsZero() || time.Since(r.Began) > time.Minute {
		t.Errorf("it began at %v, it was just now", r.Began)
	}
}

// Long traces have wide columns, which hold what the narrow ones did.
func TestColumnsAreJoinedWhenThereAreTooMany(t *testing.T) {
	b := newBooks(DefaultLimits())
	work, err := b.stage("work")
	if err != nil {
		t.Fatal(err)
	}
	unknown := &scope{}
	for i := range 10_000 {
		at := time.Duration(i) * 7 * time.Millisecond
		if err := errors.Join(b.book(work, at, Usage{Samples: 1}), b.book(unknown, at, Usage{Allocated: 1})); err != nil {
			t.Fatal(err)
		}
	}
	b.become(unknown, work)
	if b.width != 320*time.Millisecond || len(work.account.columns) != 219 {
		t.Errorf("%d columns of %s, want 219 of 320ms for 70 s", len(work.account.columns), b.width)
	}
	for i, u := range work.account.columns {
		if u.Samples != u.Allocated || u != b.columns[i] {
			t.Errorf("column %d is %+v, what was known and what was not differ", i, u)
		}
	}
	if work.account.Samples != 10_000 || work.account.Allocated != 10_000 {
		t.Errorf("%+v is booked, want 10,000 of each", work.account.Usage)
	}
}

func TestWhatExceedsALimitIsAClearError(t *testing.T) {
	recorded := traced(t, func() {
		for _, name := range []string{"a", "b", "c"} {
			within(name, func(context.Context) {
				within(name, func(context.Context) { wait(func() {}) }, "partition", name)
			})
		}
	})
	for name, test := range map[string]struct {
		limit func(*Limits)
		want  string
	}{
		"bytes":      {func(l *Limits) { l.Bytes = 1000 }, "it is longer than the limit of 1000 bytes"},
		"generation": {func(l *Limits) { l.Generation = 1000 }, "one of its generations is longer than the limit of 1000 bytes"},
		"batches":    {func(l *Limits) { l.Batches = 1 }, " has more batches than the limit of 1"},
		"tables":     {func(l *Limits) { l.Tables = 100 }, " are longer than the limit of 100 bytes"},
		"goroutines": {func(l *Limits) { l.Goroutines = 1 }, "more goroutines live at once than the limit of 1"},
		"open":       {func(l *Limits) { l.Open = 1 }, "more regions and tasks are open at once than the limit of 1"},
		"stages":     {func(l *Limits) { l.Stages = 2 }, `it has more stages than the limit of 2, another is "c": regions should have few names`},
		"partitions": {func(l *Limits) { l.Partitions = 2 }, `it has more partitions than the limit of 2, another is "partition=c": attributes should have few values`},
		"length":     {func(l *Limits) { l.Length = 1 }, "after the first, at most 1ns"},
	} {
		limits := DefaultLimits()
		test.limit(&limits)
		_, err := Fuse(bytes.NewReader(recorded), limits)
		if err == nil || !strings.HasPrefix(err.Error(), "read execution trace: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v, want %q", name, err, test.want)
		}
	}
}

func TestWhatIsNoTraceIsAClearError(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "it is empty",
		"go 1.26":                   "it has 7 bytes, a header alone has 16",
		"<html><body>Not Found":     `it begins with "<html><body>Not ", must begin with "go 1.22 trace" or later`,
		"go 1.21 trace\x00\x00\x00": "it is of Go 1.21, must be of Go 1.22 or later",
		"go 1.-9 trace\x00\x00\x00": "must begin with",
		"go 1.99 trace\x00\x00\x00": "1.99",
		"go 1.26 trace\x00\x00\x00": "",
	} {
		_, err := Fuse(strings.NewReader(text), DefaultLimits())
		if err == nil && want != "" || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", text, err, want)
		}
	}
	gone := errors.New("the line is dead")
	if _, err := Fuse(iotest.ErrReader(gone), DefaultLimits()); !errors.Is(err, gone) {
		t.Errorf("error is %v, want %v", err, gone)
	}
}

func TestATraceThatIsCutOffIsAnError(t *testing.T) {
	whole := traced(t, func() { within("work", func(context.Context) { allocate(1) }) })
	// Each length at first, where a cut may be between two batches.
	for length := headerLength; length < len(whole); length += 1 + min(length/200, 1)*len(whole)/97 {
		if _, err := Fuse(bytes.NewReader(whole[:length]), DefaultLimits()); err == nil {
			t.Errorf("the first %d bytes of %d are taken for a whole trace", length, len(whole))
		}
	}
}

// smallLimits keep the fuzzer quick.
func smallLimits() Limits {
	return Limits{Bytes: 1 << 20, Generation: 1 << 20, Batches: 1000, Tables: 1 << 20, Samples: 1 << 20, Goroutines: 1000, Open: 1000, Stages: 10, Partitions: 20, Length: time.Hour}
}

// conserved checks that nothing is lost or invented, whatever the trace is.
func conserved(t *testing.T, text []byte) {
	t.Helper()
	r, err := Fuse(bytes.NewReader(text), smallLimits())
	if err != nil {
		if len(err.Error()) > 300 || strings.Contains(err.Error(), "\n") {
			t.Errorf("the error is no clear line: %q", err)
		}
		return
	}
	var sum Usage
	for _, s := range r.Stages {
		sum.Add(s.Usage)
	}
	if sum != r.Total || len(r.Columns) > maxColumns+1 {
		t.Errorf("stages are %+v together, the total is %+v; %d columns", sum, r.Total, len(r.Columns))
	}
}

// releases are the traces of a program, one of each release of Go that writes
// them as streams. See testdata/traced/main.go.
func releases(t testing.TB) (all [][]byte) {
	t.Helper()
	for minor := oldest; minor <= 27; minor++ {
		recorded, err := os.ReadFile(fmt.Sprintf("testdata/traced/go1.%d.trace", minor))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, recorded)
	}
	return all
}

func TestTracesOfAllReleasesOfGoSayTheSame(t *testing.T) {
	for i, recorded := range releases(t) {
		s := fused(t, recorded).stage(t, "map")
		if s.Allocated < 64<<10 || s.Allocated > 80<<10 || s.N != 1 || s.Goroutines != 2 || len(s.Partitions) != 1 || s.Partitions[0].Name != "partition=3" {
			t.Errorf("of Go 1.%d the stage is %+v", oldest+i, s)
		}
	}
}

func smallTrace(t testing.TB) []byte {
	return traced(t, func() {
		within("work", func(ctx context.Context) {
			_, inner := instrument.Stage(ctx, "inner")
			wait(func() {})
			inner.End()
		}, "partition", "1")
	})
}

func TestATraceWithWrongBytesIsAnErrorOrAReport(t *testing.T) {
	whole := append(releases(t), smallTrace(t))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		wrong := bytes.Clone(whole[i%len(whole)])
		for range 1 + random.IntN(4) {
			wrong[random.IntN(len(wrong))] = byte(random.IntN(256))
		}
		conserved(t, wrong)
	}
}

func FuzzFuse(f *testing.F) {
	f.Add(smallTrace(f))
	for _, recorded := range releases(f) {
		f.Add(recorded)
	}
	f.Fuzz(conserved)
}
