package profile

import (
	"fmt"

	pprof "github.com/google/pprof/profile"
)

// Merge adds profiles up. They must be of the same kind: what they have no
// sample type in common of is refused, and what only some have is dropped. The
// arguments are not changed.
func Merge(profiles []*pprof.Profile) (*pprof.Profile, error) {
	if len(profiles) == 0 {
		return nil, fmt.Errorf("merge profiles: there are none")
	}
	alike, err := compatible(profiles)
	if err != nil {
		return nil, fmt.Errorf("merge profiles: %w", err)
	}
	return added(alike)
}

// Diff returns profile less base, as go tool pprof -diff_base does: the samples
// of the base are in it with negative values and the label pprof::base, so
// shares are of the base. The arguments are not changed.
func Diff(profile, base *pprof.Profile) (*pprof.Profile, error) {
	alike, err := compatible([]*pprof.Profile{profile, base})
	if err != nil {
		return nil, fmt.Errorf("compare profiles: %w", err)
	}
	return less(alike[0], alike[1])
}

// NormalizedDiff is [Diff] of a profile that is scaled first, so that its values add up to what those of the base do.
func NormalizedDiff(profile, base *pprof.Profile) (*pprof.Profile, error) {
	alike, err := compatible([]*pprof.Profile{profile, base})
	if err != nil {
		return nil, fmt.Errorf("compare profiles: %w", err)
	}
	if err := alike[0].Normalize(alike[1]); err != nil {
		return nil, fmt.Errorf("normalize profile: %w", err)
	}
	return less(alike[0], alike[1])
}

// baseLabel is how go tool pprof knows the samples of the base.
const baseLabel = "pprof::base"

func less(profile, base *pprof.Profile) (*pprof.Profile, error) {
	base.SetLabel(baseLabel, []string{"true"})
	negate(base)
	return added([]*pprof.Profile{profile, base})
}

// negate turns what there is into what is taken away. Profile.Scale counts in
// floating point, which is off from 2^53 on.
func negate(p *pprof.Profile) {
	for _, s := range p.Sample {
		for i := range s.Value {
			s.Value[i] = -s.Value[i]
		}
	}
}

// compatible returns copies that have the same sample types.
func compatible(profiles []*pprof.Profile) ([]*pprof.Profile, error) {
	copies := make([]*pprof.Profile, len(profiles))
	for i, p := range profiles {
		copies[i] = p.Copy()
	}
	if err := pprof.CompatibilizeSampleTypes(copies); err != nil {
		return nil, err
	}
	return copies, nil
}

func added(profiles []*pprof.Profile) (*pprof.Profile, error) {
	if err := checkValues(true, profiles...); err != nil {
		return nil, fmt.Errorf("merge profiles: %w", err)
	}
	sum, err := pprof.Merge(profiles)
	if err != nil {
		return nil, fmt.Errorf("merge profiles: %w", err)
	}
	return sum, nil
}
