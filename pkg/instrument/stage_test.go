package instrument

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
)

// labelsNow are the labels of the calling goroutine, as the runtime's own
// goroutine profile has them.
func labelsNow(t testing.TB) string {
	t.Helper()
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	for _, goroutine := range strings.Split(profile.String(), "\n\n") {
		if !strings.Contains(goroutine, ".labelsNow+") {
			continue
		}
		_, labels, _ := strings.Cut(goroutine, "# labels: ")
		labels, _, _ = strings.Cut(labels, "\n")
		return labels
	}
	t.Fatalf("the goroutine is not in its profile:\n%s", &profile)
	return ""
}

func expectLabels(t testing.TB, want string) {
	t.Helper()
	if got := labelsNow(t); got != want {
		t.Errorf("labels are %s, want %s", got, want)
	}
}

func TestAGoroutineHasTheLabelsOfItsInnermostStage(t *testing.T) {
	ctx, reduce := Stage(context.Background(), "reduce", "partition", "3")
	expectLabels(t, `{"stage":"reduce", "stage.partition":"3"}`)
	inner, sorting := Stage(ctx, "sort")
	expectLabels(t, `{"stage":"sort", "stage.partition":"3"}`)
	if value, _ := pprof.Label(inner, LabelStage); value != "sort" {
		t.Errorf("the context's stage is %q, want sort", value)
	}
	var child sync.WaitGroup
	child.Add(1)
	go func() {
		defer child.Done()
		expectLabels(t, `{"stage":"sort", "stage.partition":"3"}`)
	}()
	child.Wait()
	sorting.End()
	expectLabels(t, `{"stage":"reduce", "stage.partition":"3"}`)
	reduce.End()
	expectLabels(t, "")
}

func TestStagesAndLabelsOfOthersAddUp(t *testing.T) {
	pprof.Do(context.Background(), pprof.Labels("user", "me"), func(ctx context.Context) {
		ctx, stage := Stage(ctx, "map")
		expectLabels(t, `{"stage":"map", "user":"me"}`)
		pprof.Do(ctx, pprof.Labels("user", "you"), func(ctx context.Context) {
			ctx, stage := Stage(ctx, "sort")
			expectLabels(t, `{"stage":"sort", "user":"you"}`)
			stage.End()
			expectLabels(t, `{"stage":"map", "user":"you"}`)
			_ = ctx
		})
		stage.End()
		expectLabels(t, `{"user":"me"}`)
	})
}

func TestAStageKeepsWhatElseItsContextHas(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, 42))
	ctx, stage := Stage(ctx, "map")
	defer stage.End()
	if ctx.Value(key{}) != 42 {
		t.Error("the value of the outer context is lost")
	}
	cancel()
	if ctx.Err() == nil {
		t.Error("the outer context was cancelled, the inner was not")
	}
}

func TestAnAttributeWithoutValueIsRefused(t *testing.T) {
	defer func() {
		if message := fmt.Sprint(recover()); message != "instrument.Stage map: attribute partition has no value" {
			t.Errorf("panic says %q", message)
		}
		expectLabels(t, "")
	}()
	attributes := strings.Fields("partition")
	Stage(context.Background(), "map", attributes...)
}

// Labels that vary without end are right all the same, and are not kept.
func TestNoMoreSetsAreKeptThanTheLimit(t *testing.T) {
	for i := range 2 * maxSets {
		value := fmt.Sprint("v", i)
		ctx, stage := Stage(context.Background(), "vary", "i", value)
		if got, _ := pprof.Label(ctx, "stage.i"); got != value {
			t.Fatalf("label is %q, want %q", got, value)
		}
		stage.End()
	}
	kept.Lock()
	defer kept.Unlock()
	if n := len(kept.sets); n != maxSets {
		t.Errorf("%d sets are kept, want the limit of %d", n, maxSets)
	}
	// As before for those that follow.
	clear(kept.sets)
	kept.sets[""] = none
	none.labels.Store(nil)
}

// A stage that calls itself adds no sets.
func TestRecursionKeepsNoFurtherSets(t *testing.T) {
	before := keptSets()
	ctx := context.Background()
	for i := range 1000 {
		ctx, _ = Stage(ctx, []string{"even", "odd"}[i%2])
	}
	pprof.SetGoroutineLabels(context.Background())
	if n := keptSets() - before; n > 2 {
		t.Errorf("%d more sets are kept, want 2: even, odd", n)
	}
}

func keptSets() int {
	kept.Lock()
	defer kept.Unlock()
	return len(kept.sets)
}

func TestManyGoroutinesBeginStagesAtOnce(t *testing.T) {
	var all sync.WaitGroup
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range 300 {
				value := fmt.Sprint(i)
				ctx, stage := Stage(context.Background(), "together", "i", value)
				if got, _ := pprof.Label(ctx, "stage.i"); got != value {
					t.Errorf("label is %q, want %q", got, value)
				}
				stage.End()
			}
		}()
	}
	all.Wait()
}

func TestAStageAllocatesItsContextOnly(t *testing.T) {
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		_, stage := Stage(ctx, "map", "partition", "3")
		stage.End()
	}); n > 1 {
		t.Errorf("a stage makes %g allocations, want 1: its context", n)
	}
}
