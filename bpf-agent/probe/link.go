package probe

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/cilium/ebpf"
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
	links []io.Closer
	users int
}

func (l *sharedLink) close() error {
	var errs []error
	for _, l := range l.links {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// sites returns where a probe goes in a binary; nowhere for the kernel's.
func (p Probe) sites(b *goproc.Binary) ([]goproc.Site, error) {
	if p.Function == "" {
		return nil, nil
	}
	var errs []error
	for _, function := range append([]string{p.Function}, p.Otherwise...) {
		sites, err := p.sitesIn(b, function)
		if err == nil {
			return p.also(b, sites)
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// also adds to sites those in the further functions that a binary has. One that
// it has and that can't be probed is an error: its events would be missing.
func (p Probe) also(b *goproc.Binary, sites []goproc.Site) ([]goproc.Site, error) {
	if p.Also == nil {
		return p.cheap(sites), nil
	}
	for _, function := range p.Also(b) {
		if _, has := b.Functions.Lookup(function); !has {
			continue
		}
		more, err := p.sitesIn(b, function)
		if err != nil {
			return nil, err
		}
		sites = append(sites, more...)
	}
	return p.cheap(sites), nil
}

// cheap leaves out the sites that are not emulated, where that is wanted.
func (p Probe) cheap(sites []goproc.Site) []goproc.Site {
	if !p.Emulated {
		return sites
	}
	return slices.DeleteFunc(sites, func(s goproc.Site) bool { return s.Kind == goproc.SiteReturn })
}

// probes returns the probes of a point that can be had for a binary: all, less
// optional ones.
func (k *Kernel) probes(b *goproc.Binary, point int) []Probe {
	return slices.DeleteFunc(slices.Clone(Catalogue[point].Probes), func(p Probe) bool {
		if !p.Optional {
			return false
		}
		if k.missing[p.Program] != nil {
			return true
		}
		_, err := p.sites(b)
		return err != nil
	})
}

func (p Probe) sitesIn(b *goproc.Binary, function string) ([]goproc.Site, error) {
	if p.Kind == goproc.SiteTransition {
		return p.transitions(b)
	}
	if p.Kind != goproc.SitePush {
		return b.Sites(function, p.Kind)
	}
	site, err := b.CheapestSite(function)
	return []goproc.Site{site}, err
}

// transitions returns where a binary makes one of the changes of a probe. Where
// the code does not say what the change will be, the program looks.
func (p Probe) transitions(b *goproc.Binary) ([]goproc.Site, error) {
	all, err := b.Transitions()
	if err != nil {
		return nil, err
	}
	may := func(wanted, found goproc.Status) bool {
		return wanted == found || wanted == goproc.StatusUnknown || found == goproc.StatusUnknown
	}
	var sites []goproc.Site
	for _, t := range all {
		if slices.ContainsFunc(p.Changes, func(c Change) bool {
			return may(c.From, t.From) && may(c.To, t.To) && (c.By == nil || slices.Contains(c.By, t.Function))
		}) {
			sites = append(sites, t.Site)
		}
	}
	if sites == nil {
		return nil, fmt.Errorf("no call of %s makes the change that %s is about", p.Function, p.Program)
	}
	return sites, nil
}

// key says which link a probe of a process needs.
func (p Probe) key(b *goproc.Binary) linkKey {
	if p.Function == "" {
		return linkKey{program: p.Program}
	}
	return linkKey{b.ID, p.Program}
}

// attach attaches a program to sites of the file that a process runs. The
// memory of the process must have been compared with the file before.
func (k *Kernel) attach(p *goproc.Process, program string, sites []goproc.Site) (*sharedLink, error) {
	if err := k.missing[program]; err != nil {
		return nil, err
	}
	prog := k.collection.Programs[program]
	if sites == nil {
		l, err := k.attachToKernel(prog)
		if err != nil {
			return nil, fmt.Errorf("attach %s: %w", program, err)
		}
		return &sharedLink{links: []io.Closer{l}}, nil
	}
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
	// Once overlayfs has copied the file, the kernel finds the copy by this
	// path, and the process runs the one below: it would never be hit.
	if stat.Nlink > 0 && stat.Ctim.Nano() != p.Binary.ID.Changed {
		var fs unix.Statfs_t
		if err := unix.Fstatfs(int(file.Fd()), &fs); err != nil {
			return nil, fmt.Errorf("ask for the file system of the executable: %w", err)
		}
		if fs.Type == unix.OVERLAYFS_SUPER_MAGIC {
			return nil, fmt.Errorf("the executable of process %d was changed at %s, and overlayfs may have made a copy that the process does not run", p.PID, time.Unix(stat.Ctim.Unix()).Format(time.RFC3339))
		}
	}
	executable, err := link.OpenExecutable(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil {
		return nil, fmt.Errorf("open executable: %w", err)
	}
	k.mu.Lock()
	cookie := k.file(p.Binary.ID)
	k.mu.Unlock()
	if !k.perfLinks {
		var offsets, cookies []uint64
		for _, s := range sites {
			offsets = append(offsets, s.Offset)
			cookies = append(cookies, cookie)
		}
		l, err := executable.UprobeMulti(nil, prog, &link.UprobeMultiOptions{Addresses: offsets, Cookies: cookies})
		if err != nil {
			return nil, fmt.Errorf("attach %s to %s: %w", program, sites[0].Function, err)
		}
		return &sharedLink{links: []io.Closer{l}}, nil
	}
	shared := &sharedLink{}
	for _, s := range sites {
		l, err := executable.Uprobe("", prog, &link.UprobeOptions{Address: s.Offset, Cookie: cookie})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("attach %s to %s: %w", program, s.Function, err), shared.close())
		}
		shared.links = append(shared.links, l)
	}
	return shared, nil
}

// attachToKernel attaches a program to its tracepoint, or to the clock of each CPU.
func (k *Kernel) attachToKernel(program *ebpf.Program) (io.Closer, error) {
	if program.Type() != ebpf.PerfEvent {
		return link.AttachTracing(link.TracingOptions{Program: program})
	}
	cpus, err := online()
	if err != nil {
		return nil, err
	}
	s := &sampler{program: program, rate: k.sampleRate, links: map[int]link.Link{}}
	if err := s.follow(cpus); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}
