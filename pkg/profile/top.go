package profile

import (
	"cmp"
	"slices"

	pprof "github.com/google/pprof/profile"
)

// Function is what a profile has of one function.
type Function struct {
	Name string
	// Flat is of samples in the function itself, Cum of all that have it in
	// their stack, each once. Of a difference both may be negative.
	Flat, Cum int64
}

// Top is what a profile has of each function.
type Top struct {
	// Total is what shares are of: the sum of all values, of a difference that of the base.
	Total     int64
	Functions []Function
}

// TopOf adds up the samples of each function, as go tool pprof -top does with
// all nodes. Those with most of their own come first; what comes to nothing is left out.
func TopOf(p *pprof.Profile, t Type) Top {
	n := namesOf(p)
	functions := make([]Function, len(n.text))
	// seen is the last sample, counted from 1, that a function was in: recursion counts once.
	seen := make([]int, len(n.text))
	var stack []int32
	for i, s := range p.Sample {
		v := s.Value[t.Index]
		stack = n.stack(stack[:0], s)
		if v == 0 || len(stack) == 0 {
			continue
		}
		for _, f := range stack {
			if seen[f] != i+1 {
				seen[f] = i + 1
				functions[f].Cum += v
			}
		}
		functions[stack[len(stack)-1]].Flat += v
	}
	for i, name := range n.text {
		functions[i].Name = name
	}
	functions = slices.DeleteFunc(functions, func(f Function) bool { return f.Flat == 0 && f.Cum == 0 })
	slices.SortFunc(functions, func(a, b Function) int {
		return cmp.Or(cmp.Compare(abs(b.Flat), abs(a.Flat)), cmp.Compare(abs(b.Cum), abs(a.Cum)), cmp.Compare(a.Name, b.Name))
	})
	return Top{total(p, t), functions}
}

// total is the sum of all values, each without its sign; of a difference only those of the base.
func total(p *pprof.Profile, t Type) int64 {
	var all, base int64
	for _, s := range p.Sample {
		v := abs(s.Value[t.Index])
		all += v
		if s.DiffBaseSample() {
			base += v
		}
	}
	if base > 0 {
		return base
	}
	return all
}

func abs(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}
