package profile

import (
	"cmp"
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
func FlameOf(p *pprof.Profile, t Type) Flame {
	n := namesOf(p)
	g := flameTree{names: n, child: make(map[uint64]int32, len(p.Sample)), nodes: []flameTreeNode{{sibling: -1, first: -1}}}
	g.nodes[0].Name = n.number(root)
	var stack []int32
	for _, s := range p.Sample {
		v := s.Value[t.Index]
		if v == 0 {
			continue
		}
		stack = n.stack(stack[:0], s)
		at := int32(0)
		g.nodes[0].add(v)
		for _, f := range stack {
			at = g.below(at, f)
			g.nodes[at].add(v)
		}
		if v < 0 {
			g.nodes[at].SelfLeft -= v
		} else {
			g.nodes[at].SelfRight += v
		}
	}
	return Flame{Names: n.text, Nodes: g.flat()}
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

type flameTree struct {
	names *names
	nodes []flameTreeNode
	// child is the node below another, by that and the function.
	child map[uint64]int32
}

type flameTreeNode struct {
	FlameNode
	// first is the newest of the nodes below it, sibling the one that was made before it; -1 for none.
	first, sibling int32
}

func (n *flameTreeNode) add(v int64) {
	if v < 0 {
		n.Left -= v
	} else {
		n.Right += v
	}
}

func (g *flameTree) below(at, function int32) int32 {
	key := uint64(uint32(at))<<32 | uint64(uint32(function))
	i, known := g.child[key]
	if !known {
		i = int32(len(g.nodes))
		g.child[key] = i
		parent := &g.nodes[at]
		made := flameTreeNode{FlameNode: FlameNode{Level: parent.Level + 1, Name: function}, first: -1, sibling: parent.first}
		parent.first = i
		g.nodes = append(g.nodes, made)
	}
	return i
}

// flat puts the nodes in order, without recursion: a stack may be deep.
func (g *flameTree) flat() []FlameNode {
	// rank of each name in the order of names, which numbers compare faster than texts.
	rank := make([]int32, len(g.names.text))
	order := make([]int32, len(rank))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(g.names.text[a], g.names.text[b]) })
	for i, name := range order {
		rank[name] = int32(i)
	}
	result := make([]FlameNode, 0, len(g.nodes))
	waiting := []int32{0}
	for len(waiting) > 0 {
		n := g.nodes[waiting[len(waiting)-1]]
		waiting = waiting[:len(waiting)-1]
		result = append(result, n.FlameNode)
		from := len(waiting)
		for c := n.first; c >= 0; c = g.nodes[c].sibling {
			waiting = append(waiting, c)
		}
		// The last to wait is the first to go.
		slices.SortFunc(waiting[from:], func(a, b int32) int { return cmp.Compare(rank[g.nodes[b].Name], rank[g.nodes[a].Name]) })
	}
	return result
}
