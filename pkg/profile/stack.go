package profile

import (
	"path"
	"slices"
	"strings"

	pprof "github.com/google/pprof/profile"
)

// names numbers the functions of a profile, those of one name alike, as go
// tool pprof does where it reports by function.
type names struct {
	text []string
	of   map[string]int32
	// frames are the functions of a location, the outermost first: the one that the others were inlined into.
	frames map[*pprof.Location][]int32
}

func namesOf(p *pprof.Profile) *names {
	n := &names{of: make(map[string]int32, len(p.Function)), frames: make(map[*pprof.Location][]int32, len(p.Location))}
	lines := 0
	for _, l := range p.Location {
		lines += max(1, len(l.Line))
	}
	all := make([]int32, 0, lines) // what n.frames has parts of
	for _, l := range p.Location {
		from := len(all)
		for i := len(l.Line) - 1; i >= 0; i-- {
			all = append(all, n.number(frameName(l, l.Line[i].Function)))
		}
		if len(l.Line) == 0 {
			all = append(all, n.number(frameName(l, nil)))
		}
		n.frames[l] = all[from:len(all):len(all)]
	}
	return n
}

func (n *names) number(name string) int32 {
	i, known := n.of[name]
	if !known {
		i = int32(len(n.text))
		n.of[name] = i
		n.text = append(n.text, name)
	}
	return i
}

// sort numbers the names in their order. There can be no more of them then.
func (n *names) sort() {
	order := make([]int32, len(n.text))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(n.text[a], n.text[b]) })
	sorted, renumbered := make([]string, len(n.text)), make([]int32, len(n.text))
	for i, was := range order {
		sorted[i], renumbered[was] = n.text[was], int32(i)
	}
	for _, frames := range n.frames {
		for i, f := range frames {
			frames[i] = renumbered[f]
		}
	}
	n.text, n.of = sorted, nil
}

// frameName is what a frame is called. One without a function has the name of its binary.
func frameName(l *pprof.Location, f *pprof.Function) string {
	switch {
	case f != nil && f.Name != "":
		return strings.ToValidUTF8(f.Name, "\uFFFD")
	case l.Mapping != nil && l.Mapping.File != "":
		return "[" + path.Base(strings.ToValidUTF8(l.Mapping.File, "\uFFFD")) + "]"
	}
	return "<unknown>"
}

// stack appends the functions of a sample, the outermost first.
func (n *names) stack(into []int32, s *pprof.Sample) []int32 {
	for i := len(s.Location) - 1; i >= 0; i-- {
		into = append(into, n.frames[s.Location[i]]...)
	}
	return into
}

// Type is what the values of a profile are.
type Type struct {
	// Index of it among the profile's sample types.
	Index int
	// Name such as cpu, and unit such as nanoseconds, as the profile has them.
	Name, Unit string
}

// TypeOf returns the sample type of a name; of an empty one, the profile's own choice, or else its last.
func TypeOf(p *pprof.Profile, name string) (Type, error) {
	i, err := p.SampleIndexByName(name)
	if err != nil {
		return Type{}, err
	}
	return Type{Index: i, Name: p.SampleType[i].Type, Unit: p.SampleType[i].Unit}, nil
}
