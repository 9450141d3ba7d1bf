package profile

import (
	"fmt"

	pprof "github.com/google/pprof/profile"
)

// maxDropping is how many steps of regular expressions may be taken with all
// letters of the functions' names: some seconds at worst.
const maxDropping = 1 << 28

// dropFrames takes out of stacks what a profile says itself is of no interest:
// its drop_frames and keep_frames are regular expressions for functions. What
// they may cost is known before.
func dropFrames(p *pprof.Profile) error {
	if p.DropFrames == "" {
		return nil
	}
	drop, err := stepsOf(p.DropFrames)
	if err != nil {
		return fmt.Errorf("drop_frames %w", err)
	}
	keep, err := stepsOf(p.KeepFrames)
	if err != nil {
		return fmt.Errorf("keep_frames %w", err)
	}
	letters := 0
	seen := make(map[string]bool, len(p.Function)) // each name is looked at once
	for _, f := range p.Function {
		if !seen[f.Name] {
			seen[f.Name] = true
			letters += len(f.Name)
		}
	}
	if steps := (drop + keep) * letters; steps > maxDropping {
		return fmt.Errorf("drop_frames and keep_frames take %d steps with the names of all functions, at most %d", steps, maxDropping)
	}
	if err := p.RemoveUninteresting(); err != nil {
		return fmt.Errorf("drop_frames, keep_frames: %w", err)
	}
	return nil
}
