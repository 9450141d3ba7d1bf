package probe

import (
	"errors"
	"fmt"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

// waitReason names the runtime's number for why a goroutine waits, as goroutine
// dumps have it, in lower case. Numbers move between minor versions.
func waitReason(b *goproc.Binary, number uint8) string {
	names := waitReasons[b.Minor]
	if int(number) >= len(names) || names[number] == "" {
		return "unknown"
	}
	return names[number]
}

func needsWaitReason(b *goproc.Binary) error {
	if waitReasons[b.Minor] == nil {
		return fmt.Errorf("wait reasons are not known for %s", b.GoVersion)
	}
	if b.Offsets.GWaitReason == 0 {
		return errors.New("offset of g.waitreason is not known")
	}
	return needsStartpc(b)
}
