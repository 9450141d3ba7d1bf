package probe

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// DropPrivileges gives up what was only needed to load, in all threads and for
// good: all capabilities but those that attaching to processes still takes, and
// to gain any by exec. It returns the names of those that are left. The kernel
// may be nil: then processes are only listed. Also says what is kept besides, if
// it is there.
func DropPrivileges(k *Kernel, also ...cap.Value) (left []string, err error) {
	keep := cap.NewSet()
	have := cap.GetProc()
	for _, c := range capabilities {
		held, err := have.GetFlag(cap.Permitted, cap.Value(c.bit))
		if err != nil {
			return nil, fmt.Errorf("read the agent's capabilities: %w", err)
		}
		if !held || !c.runs(k) {
			continue
		}
		if err := keep.SetFlag(cap.Permitted, true, cap.Value(c.bit)); err != nil {
			return nil, fmt.Errorf("keep %s: %w", c.name, err)
		}
		left = append(left, c.name)
	}
	for _, c := range also {
		held, err := have.GetFlag(cap.Permitted, c)
		if err != nil {
			return nil, fmt.Errorf("read the agent's capabilities: %w", err)
		}
		kept, err := keep.GetFlag(cap.Permitted, c)
		if err != nil {
			return nil, fmt.Errorf("keep %s: %w", c, err)
		}
		if !held || kept {
			continue
		}
		if err := keep.SetFlag(cap.Permitted, true, c); err != nil {
			return nil, fmt.Errorf("keep %s: %w", c, err)
		}
		left = append(left, strings.ToUpper(c.String()))
	}
	if err := keep.FillFlag(cap.Effective, keep, cap.Permitted); err != nil {
		return nil, fmt.Errorf("keep %s: %w", strings.Join(left, ", "), err)
	}
	// Not everyone may change the bounding set; it means nothing to who can't
	// gain a capability by exec.
	if err := cap.ResetAmbient(); err != nil {
		return nil, fmt.Errorf("drop ambient capabilities: %w", err)
	}
	if err := keep.SetProc(); err != nil {
		return nil, fmt.Errorf("drop capabilities: %w", err)
	}
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("renounce new privileges: %w", err)
	}
	return left, nil
}

// beDumpable lets an agent that has its capabilities from its file open its own
// /proc/self/mem, by which cilium/ebpf learns the kernel's version; the kernel
// takes that away from such programs. It returns what ends that. Who has fewer
// capabilities can't trace the agent for it: see ptrace(2), access mode checking.
func beDumpable() (restore func(), err error) {
	before, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("ask whether the agent may read itself: %w", err)
	}
	if before == 1 {
		return func() {}, nil
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("let the agent read itself: %w", err)
	}
	return func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }, nil
}
