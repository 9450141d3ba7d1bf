package probe

import (
	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

// setLabel is the one function by which a goroutine gets pprof labels.
const setLabel = "runtime/pprof.runtime_setProfLabel"

// labelLayout says how a binary keeps pprof labels: see bpf/labels.h. Where
// nothing sets any, hits need not look for them.
func labelLayout(b *goproc.Binary) bpf.KernelLabelLayout {
	_, sets := b.Functions.Lookup(setLabel)
	switch {
	case !sets || b.Offsets.GLabels == 0:
		return bpf.KernelLabelLayoutLABELS_NONE
	case b.LabelsAreSlice():
		return bpf.KernelLabelLayoutLABELS_SLICE
	}
	return bpf.KernelLabelLayoutLABELS_MAP
}
