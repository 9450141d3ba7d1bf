package stages

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/exp/trace"
)

// goroutine is one that lives.
type goroutine struct {
	// base is the stage it was started in.
	base *scope
	// before says that it was started before the trace: base may be unknown,
	// and it may end stages whose begin is not in the trace.
	before bool
	open   []region // the innermost last
	seen   []*account
}

// region is a stage that has begun.
type region struct {
	scope *scope
	began time.Duration
}

// goroutines are all that live, by id.
type goroutines struct {
	books *books
	all   map[trace.GoID]*goroutine
	open  int // regions and tasks
}

// of is the goroutine of an event. One that is not known was there before.
func (gs *goroutines) of(id trace.GoID) (*goroutine, error) {
	if g := gs.all[id]; g != nil {
		return g, nil
	}
	return gs.add(id, &goroutine{base: &scope{}, before: true})
}

func (gs *goroutines) add(id trace.GoID, g *goroutine) (*goroutine, error) {
	if len(gs.all) >= gs.books.limits.Goroutines {
		return nil, fmt.Errorf("more goroutines live at once than the limit of %d", gs.books.limits.Goroutines)
	}
	gs.all[id] = g
	return g, nil
}

// scope is where what a goroutine uses belongs; the runtime, where there is none, is in no stage.
func (gs *goroutines) scope(id trace.GoID) (*scope, error) {
	if id == trace.NoGoroutine {
		return gs.books.outside, nil
	}
	g, err := gs.of(id)
	if err != nil {
		return nil, err
	}
	return g.scope(), nil
}

func (g *goroutine) scope() *scope {
	if n := len(g.open); n > 0 {
		return g.open[n-1].scope
	}
	return g.base.known()
}

// visit counts a goroutine with those of a stage, once.
func (g *goroutine) visit(s *scope) {
	if s.account == nil {
		return
	}
	for _, a := range g.seen {
		if a == s.account {
			return
		}
	}
	g.seen = append(g.seen, s.account)
	s.account.goroutines++
}

// start is when one goroutine starts another.
func (gs *goroutines) start(creator, id trace.GoID, stack trace.Stack) error {
	in := gs.books.outside
	if creator != trace.NoGoroutine && !isOfRuntime(stack) {
		of, err := gs.of(creator)
		if err != nil {
			return err
		}
		in = of.scope()
	}
	g, err := gs.add(id, &goroutine{base: in})
	if err != nil {
		return err
	}
	g.visit(in)
	return nil
}

// isOfRuntime says whether a goroutine with this stack at its start is the
// runtime's own. Such have no labels either. (src/runtime/traceback.go: isSystemGoroutine)
func isOfRuntime(stack trace.Stack) bool {
	for f := range stack.Frames() {
		return strings.HasPrefix(f.Func, "runtime.") && f.Func != "runtime.main"
	}
	return false
}

// begin is when a goroutine begins a stage. It has the attributes of the one around it.
func (gs *goroutines) begin(id trace.GoID, name string, at time.Duration) error {
	g, err := gs.of(id)
	if err != nil {
		return err
	}
	s, err := gs.books.within(name, g.scope().attributes)
	if err != nil {
		return err
	}
	if err := gs.opened(); err != nil {
		return err
	}
	g.open = append(g.open, region{s, at})
	g.visit(s)
	return nil
}

// opened counts a region or a task that has begun.
func (gs *goroutines) opened() error {
	if gs.open++; gs.open > gs.books.limits.Open {
		return fmt.Errorf("more regions and tasks are open at once than the limit of %d", gs.books.limits.Open)
	}
	return nil
}

// gone is when a goroutine ends.
func (gs *goroutines) gone(id trace.GoID) {
	if g := gs.all[id]; g != nil {
		gs.open -= len(g.open)
		delete(gs.all, id)
	}
}

// attribute is when a goroutine says an attribute of the stage that it is in.
func (gs *goroutines) attribute(id trace.GoID, key, value string) error {
	g, err := gs.of(id)
	if err != nil || len(g.open) == 0 {
		return err // of a stage whose begin was before the trace
	}
	innermost := &g.open[len(g.open)-1]
	innermost.scope, err = gs.books.within(innermost.scope.account.name, withAttribute(innermost.scope.attributes, key, value))
	return err
}

// withAttribute adds key=value to attributes, or replaces the value of that key.
func withAttribute(attributes, key, value string) string {
	added := key + "=" + strings.Map(func(r rune) rune {
		if r == ' ' { // what attributes are put apart by
			return '\u00a0'
		}
		return r
	}, value)
	if attributes == "" {
		return added
	}
	all := strings.Split(attributes, " ")
	for i, a := range all {
		if strings.HasPrefix(a, key+"=") {
			all[i] = added
			return strings.Join(all, " ")
		}
	}
	return attributes + " " + added
}

// end is when a goroutine ends a stage. Where its begin is not in the trace, it
// is what the goroutine was in so far.
func (gs *goroutines) end(id trace.GoID, name string, at time.Duration) error {
	g, err := gs.of(id)
	if err != nil {
		return err
	}
	if n := len(g.open); n > 0 {
		r := g.open[n-1]
		if r.scope.account.name != name {
			return nil // of a stage around it that it will not return to
		}
		g.open = g.open[:n-1]
		gs.open--
		took := uint64(at - r.began)
		r.scope.account.durations.Observe(took)
		if p := r.scope.partition; p != nil {
			p.durations.Observe(took)
		}
		return nil
	}
	if !g.before || g.base.known().account != nil {
		return nil // begun by another goroutine
	}
	was, err := gs.books.stage(name)
	if err != nil {
		return err
	}
	gs.books.become(g.base, was)
	g.visit(was)
	g.base = &scope{}
	return nil
}
