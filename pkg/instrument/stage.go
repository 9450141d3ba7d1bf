package instrument

import (
	"context"
	"runtime/pprof"
	"runtime/trace"
)

// Stage begins a stage of a job on the calling goroutine: a region of that name
// in execution traces, and the pprof label stage=name. Attributes are pairs of
// key and value, such as "partition", "3": a goroutine has them as the label
// stage.partition=3, and an execution trace as a log of that category.
//
//	ctx, stage := instrument.Stage(ctx, "map", "partition", "3")
//	defer stage.End()
//
// Goroutines that are started within the stage belong to it. Stages nest: the
// innermost counts. Names and attributes should be few: not the id of a request.
//
// It panics when an attribute has no value.
func Stage(ctx context.Context, name string, attributes ...string) (context.Context, Running) {
	if len(attributes)%2 != 0 {
		panic("instrument.Stage " + name + ": attribute " + attributes[len(attributes)-1] + " has no value")
	}
	outer := setOf(ctx)
	s := outer.with(label{key: LabelStage, value: name})
	for i := 0; i < len(attributes); i += 2 {
		s = s.with(label{true, attributes[i], attributes[i+1]})
	}
	// A sample of the CPU between region and labels is in another stage by the
	// trace than by the profile, so nothing else is there, neither here nor at the
	// end. The region first: it walks the stack, and takes its time after that,
	// so what it takes long for is not between.
	traced := trace.IsEnabled()
	region := trace.StartRegion(ctx, name)
	pprof.SetGoroutineLabels(s.ctx)
	if traced {
		for i := 0; i < len(attributes); i += 2 {
			trace.Log(ctx, attributePrefix+attributes[i], attributes[i+1])
		}
	}
	return &labelled{ctx, s}, Running{outer, region, name, traced}
}

// Running is a stage that has begun.
type Running struct {
	outer  *set
	region *trace.Region
	name   string
	traced bool // as it began
}

// End ends the stage, on the goroutine that began it. The goroutine's labels are
// then those of the context that the stage was begun with.
//
// Of a stage that was begun before an execution trace, the trace gets a log of
// the category stage instead of a region: it says in which stage the goroutine was.
func (r Running) End() {
	r.region.End()
	if !r.traced && trace.IsEnabled() {
		trace.Log(context.Background(), LabelStage, r.name)
	}
	pprof.SetGoroutineLabels(r.outer.ctx)
}
