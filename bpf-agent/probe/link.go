package probe

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

// A link is on a file, not on a process: the kernel puts the breakpoint into
// all processes that map the file, so two links would count each hit twice.
// The programs find out whom they fire in. (A link with a process id would
// miss the hits of threads other than the first on some kernels.)
type linkKey struct {
	binary  goproc.BinaryID
	program string
}

// sharedLink is the attachment of a program to all its sites in a file. It
// counts who needs it, and is closed by the last.
type sharedLink struct {
	links []link.Link
	users int
}

func (l *sharedLink) close() error {
	var errs []error
	for _, l := range l.links {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// sites returns where a probe goes in a binary.
func (p Probe) sites(b *goproc.Binary) ([]goproc.Site, error) {
	if p.Kind == goproc.SiteReturn {
		return b.Sites(p.Function, goproc.SiteReturn)
	}
	site, err := b.CheapestSite(p.Function)
	return []goproc.Site{site}, err
}

// attach attaches a program to sites of the file that a process runs. The
// memory of the process must have been compared with the file before.
func (k *Kernel) attach(p *goproc.Process, program string, sites []goproc.Site) (*sharedLink, error) {
	// An open file stays the same file whatever the process does meanwhile.
	file, err := os.Open(fmt.Sprintf("/proc/%d/exe", p.PID))
	if err != nil {
		return nil, fmt.Errorf("open executable: %w", err)
	}
	defer file.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		return nil, fmt.Errorf("stat executable: %w", err)
	}
	if id := p.Binary.ID; stat.Dev != id.Device || stat.Ino != id.Inode {
		return nil, fmt.Errorf("process %d runs another file than the one that was read", p.PID)
	}
	executable, err := link.OpenExecutable(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil {
		return nil, fmt.Errorf("open executable: %w", err)
	}
	prog := k.collection.Programs[program]
	if !k.perfLinks {
		var offsets []uint64
		for _, s := range sites {
			offsets = append(offsets, s.Offset)
		}
		l, err := executable.UprobeMulti(nil, prog, &link.UprobeMultiOptions{Addresses: offsets})
		if err != nil {
			return nil, fmt.Errorf("attach %s to %s: %w", program, sites[0].Function, err)
		}
		return &sharedLink{links: []link.Link{l}}, nil
	}
	shared := &sharedLink{}
	for _, s := range sites {
		l, err := executable.Uprobe("", prog, &link.UprobeOptions{Address: s.Offset})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("attach %s to %s: %w", program, s.Function, err), shared.close())
		}
		shared.links = append(shared.links, l)
	}
	return shared, nil
}
