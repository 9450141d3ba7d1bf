package profile

import (
	"fmt"

	pprof "github.com/google/pprof/profile"
)

// Delta returns what a later profile has more than an earlier one of the same
// process, where both count since its start. Samples with nothing more are left
// out. The arguments are not changed.
func Delta(later, earlier *pprof.Profile) (*pprof.Profile, error) {
	alike, err := compatible([]*pprof.Profile{later, earlier})
	if err != nil {
		return nil, fmt.Errorf("what came between profiles: %w", err)
	}
	negate(alike[1])
	return added(alike)
}
