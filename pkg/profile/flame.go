package profile

import (
	"slices"

	pprof "github.com/google/pprof/profile"
)

// Flame is a flame graph as a nested set: nodes depth first, each with its
// level, so what follows with a greater level is below it. The first is the
// root, of all samples.
type Flame struct {
	// Names are those that Nodes point to.
	Names []string
	Nodes []FlameNode
}

// FlameNode is one bar. Right is what was added and left what was taken away:
// of a difference, the profile and its base; of a profile by itself, there is nothing left.
type FlameNode struct {
	Level int32
	Name  int32
	// Values are of the node with all below it, selves without.
	Left, Right, SelfLeft, SelfRight int64
}

// root is what the first node is called.
const root = "total"

// FlameOf folds the samples of a profile into one tree. Nodes of one parent are ordered by name.
//
// Stacks are put in order first, as words are in a dictionary: then each has
// what it begins with in common with the one before, and nodes come depth first.
func FlameOf(p *pprof.Profile, t Type) Flame {
	n := namesOf(p)
	n.sort()
	depths := 0 // and more where functions are inlined
	for _, s := range p.Sample {
		depths += len(s.Location)
	}
	all := make([]int32, 0, depths)
	words := make([]word, 0, len(p.Sample))
	for _, s := range p.Sample {
		if v := s.Value[t.Index]; v != 0 {
			from := len(all)
			all = n.stack(all, s)
			words = append(words, word{from: from, to: len(all), value: v})
		}
	}
	slices.SortFunc(words, func(a, b word) int { return slices.Compare(all[a.from:a.to], all[b.from:b.to]) })
	bars := 1
	var before []int32
	for i := range words {
		w := &words[i]
		stack := all[w.from:w.to]
		for w.same < min(len(stack), len(before)) && stack[w.same] == before[w.same] {
			w.same++
		}
		bars += len(stack) - w.same
		before = stack
	}
	nodes := append(make([]FlameNode, 0, bars), FlameNode{Name: int32(len(n.text))})
	open := []int32{0}
	for _, w := range words {
		open = open[:w.same+1]
		for i, function := range all[w.from+w.same : w.to] {
			open = append(open, int32(len(nodes)))
			nodes = append(nodes, FlameNode{Level: int32(w.same + i + 1), Name: function})
		}
		for _, i := range open {
			nodes[i].add(w.value)
		}
		nodes[open[len(open)-1]].addSelf(w.value)
	}
	return Flame{Names: append(n.text, root), Nodes: nodes}
}

// word is a sample: where its stack is among all, how much of that it has in
// common with the one before, and its value.
type word struct {
	from, to, same int
	value          int64
}

func (n *FlameNode) add(v int64) {
	if v < 0 {
		n.Left -= v
	} else {
		n.Right += v
	}
}

func (n *FlameNode) addSelf(v int64) {
	if v < 0 {
		n.SelfLeft -= v
	} else {
		n.SelfRight += v
	}
}

// other is the bar for those that were too narrow.
const other = "(other)"

// Fold returns a flame of the widest bars, about as many as it may have, and
// how many were too narrow: below each bar they are one, so nothing is lost.
func (f Flame) Fold(most int) (folded Flame, narrow int) {
	if len(f.Nodes) <= most {
		return f, 0
	}
	widths := make([]int64, len(f.Nodes))
	for i, n := range f.Nodes {
		widths[i] = n.width()
	}
	slices.Sort(widths)
	// Those of one width stay or go together, so that it never depends on their order.
	limit := widths[len(widths)-most]
	name := int32(len(f.Names))
	folded.Names = append(slices.Clip(f.Names), other)
	folded.Nodes = make([]FlameNode, 0, most+most/4)
	// others has the bar of all narrow ones for each level, under the bar that was last seen above it; 0 for none.
	others := []int{0}
	skipping := int32(-1)
	for _, n := range f.Nodes {
		if skipping >= 0 && n.Level > skipping {
			narrow++
			continue
		}
		skipping = -1
		if n.Level > 0 && n.width() <= limit {
			narrow++
			skipping = n.Level
			if others[n.Level] == 0 {
				others[n.Level] = len(folded.Nodes)
				folded.Nodes = append(folded.Nodes, FlameNode{Level: n.Level, Name: name})
			}
			o := &folded.Nodes[others[n.Level]]
			o.Left, o.Right, o.SelfLeft, o.SelfRight = o.Left+n.Left, o.Right+n.Right, o.SelfLeft+n.Left, o.SelfRight+n.Right
			continue
		}
		others = append(others[:n.Level+1], 0)
		folded.Nodes = append(folded.Nodes, n)
	}
	return folded, narrow
}

func (n FlameNode) width() int64 { return n.Left + n.Right }
