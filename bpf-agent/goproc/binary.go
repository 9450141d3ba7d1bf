// Package goproc finds Go processes and reads what their binaries say about
// themselves: version, symbols, struct offsets, and the places where a uprobe
// is safe and cheap. It never guesses: what it is not sure of, it refuses with
// a reason.
package goproc

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"

	"golang.org/x/sys/unix"
)

// Binary is what was read of one executable file. It is immutable, and shared
// by all processes that run the same file.
//
// Five witnesses speak for it: build info (version), moduledata with
// .gopclntab (functions), type descriptors (offsets), machine code (sites,
// globals), and a table of what each Go version is known to have, by the DWARF
// of its builds. The symbol table is heard where it was not stripped. When two
// disagree the binary is refused.
type Binary struct {
	ID        BinaryID
	GoVersion string // "go1.26.8"
	Minor     int    // 26
	Build     *buildinfo.BuildInfo
	Arch      string // GOARCH: "amd64", "arm64"
	PIE       bool
	Functions *FuncTable
	Offsets   Offsets

	segments []segment
	code     code
	fields   map[fieldName]uint32
	globals  map[string]uint64
	tls      int64 // offset of g, 0 when not known

	transitions      []Transition
	transitionsError error
	// buildIDAt is where in the file the build id is.
	buildIDAt int64
}

// BinaryID tells executables apart where a path or an inode alone can't:
// inodes clash between containers of one image, and are reused. Overlayfs gives
// a file that it has copied, because something of it was changed, the number of
// the one below, which older processes still run: there the time tells.
type BinaryID struct {
	Device, Inode uint64
	Changed       int64  // ctime of the inode, ns since the epoch
	BuildID       string // Go build id; "" when it was built without
}

// SiteKind says where in a function a site lies.
type SiteKind uint8

const (
	// SitePush is after the stack check, at the first PUSHQ BP: emulated by the
	// kernel (one trap), and hit once a call even when the stack grows.
	SitePush SiteKind = iota
	// SiteBranch is at the first conditional jump: emulated as well, for
	// functions that have no frame and so push nothing. The jump of a stack
	// check is none: it is hit again when the stack has grown.
	SiteBranch
	// SiteReturn is at a RET: single-stepped on amd64, for rare functions only.
	SiteReturn
	// SiteTail is as late as possible on the way out, at a conditional jump: each
	// call that returns hits exactly one of a function's sites of this kind, once.
	// What runs after it is not seen to be part of the call. A way out that has no
	// conditional jump of its own (a return before anything was done) has a site
	// at its RET, which says so by its Kind, SiteReturn. A call that panics hits
	// none, or one of them before it does.
	SiteTail
	// SiteTransition is at a call of casgstatus: emulated; see [Binary.Transitions].
	SiteTransition
	// SiteSystemStack is at the first conditional jump after the function's one
	// call of runtime.systemstack: what it did there is over. It is hit as often
	// as that call is made, on the goroutine's own stack.
	SiteSystemStack
)

func (k SiteKind) String() string {
	switch k {
	case SitePush:
		return "push"
	case SiteBranch:
		return "branch"
	case SiteReturn:
		return "return"
	case SiteTail:
		return "tail"
	case SiteTransition:
		return "transition"
	case SiteSystemStack:
		return "system stack"
	}
	return "SiteKind(" + strconv.Itoa(int(k)) + ")"
}

// Site is a place to attach a uprobe.
type Site struct {
	Function string
	Kind     SiteKind
	// Offset is in the file, as uprobes want it; Address is virtual, as linked.
	Offset, Address uint64
	// Code is what the file has at the site. Whoever attaches compares it with
	// the memory of the process first: see [Process.CheckCode].
	Code []byte
}

// Offsets of struct fields and addresses that BPF programs need. The addresses
// are as linked: a position-independent process adds its [Process.LoadBias].
type Offsets struct {
	GM, GGoid, GStartpc, GLabels, GWaitReason uint32
	MCurg, MP                                 uint32
	PID                                       uint32 // p.id
	// TimeToRun is the address of runtime.sched.timeToRun: what AX of
	// (*timeHistogram).record is for scheduler latency.
	TimeToRun uint64
}

// Refusal says why a binary or a process can't be watched. It is an answer,
// not a failure: list shows Reason to whoever asked.
type Refusal struct {
	Path   string // the executable, or "pid 42" when there is none to name
	Reason string

	// notGo says that nothing about it is Go: who asked for all Go processes
	// does not want to hear of it.
	notGo bool
	// build is what the binary says of its build, where it could be read.
	build *buildinfo.BuildInfo
}

func (r *Refusal) Error() string { return r.Path + ": " + r.Reason }

func refuse(path, format string, args ...any) *Refusal {
	return &Refusal{Path: path, Reason: clean(fmt.Sprintf(format, args...))}
}

// ReadBinary reads an executable. Each error is a [*Refusal].
func ReadBinary(path string) (*Binary, error) {
	f, err := openExecutable(path)
	if err != nil {
		return nil, refuse(path, "%s", reasonOf(err))
	}
	defer f.Close()
	b, refusal := readFile(f, path)
	if refusal != nil {
		return nil, refusal
	}
	return b, nil
}

// openExecutable opens a regular file, and does not hang on anything else.
func openExecutable(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// reasonOf says what a user can do about a file that can't be read.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "may not be read: needs the same user, or CAP_SYS_PTRACE"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH):
		return "does not exist"
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return err.Error()
}

func readFile(f *os.File, path string) (*Binary, *Refusal) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, refuse(path, "%v", err)
	}
	b, refusal := readBinary(f, uint64(st.Size), path)
	if refusal != nil {
		return nil, refusal
	}
	b.ID.Device, b.ID.Inode, b.ID.Changed = st.Dev, st.Ino, st.Ctim.Nano()
	return b, nil
}

// readBinary reads an executable of a size.
//
// debug/elf, debug/dwarf and debug/buildinfo check much of what they read and
// still say that they are not hardened against hostile files: a panic in one of
// them is a refusal too.
func readBinary(r io.ReaderAt, size uint64, path string) (b *Binary, refusal *Refusal) {
	defer func() {
		if p := recover(); p != nil {
			b, refusal = nil, refuse(path, "malformed: %v", p)
		}
	}()
	var info *buildinfo.BuildInfo
	defer func() {
		if refusal != nil {
			refusal.build = info
		}
	}()
	notGo := func(format string, args ...any) (*Binary, *Refusal) {
		refusal := refuse(path, format, args...)
		refusal.notGo = true
		return nil, refusal
	}
	f, err := elf.NewFile(r)
	if err != nil {
		return notGo("not an ELF executable, or not a whole one: %v", err)
	}
	info, err = buildinfo.Read(r)
	if err != nil {
		return notGo("not a Go executable: it has no Go build info")
	}
	info.Deps = nil // a list of hundreds, for nobody
	b = &Binary{
		GoVersion: clean(info.GoVersion),
		Build:     info,
		Arch:      setting(info, "GOARCH"),
		PIE:       f.Type == elf.ET_DYN,
	}
	arch, known := architectures[f.Machine]
	if f.Class != elf.ELFCLASS64 || !known || f.Data != elf.ELFDATA2LSB {
		if b.Arch == "" {
			b.Arch = f.Machine.String()
		}
		return nil, refuse(path, "built for %s (%d-bit): only amd64 and arm64 can be read", b.Arch, 32*int(f.Class))
	}
	if b.Arch != "" && b.Arch != arch.name {
		return nil, refuse(path, "built for %s, and its code is for %s", b.Arch, arch.name)
	}
	b.Arch = arch.name
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return nil, refuse(path, "an ELF file of type %v, not an executable", f.Type)
	}
	if b.Minor, err = minorVersion(b.GoVersion); err != nil {
		return nil, refuse(path, "%v", err)
	}
	if err := b.read(f, r, arch, size); err != nil {
		return nil, refuse(path, "%v", err)
	}
	return b, nil
}

func (b *Binary) read(f *elf.File, file io.ReaderAt, arch architecture, size uint64) error {
	m, err := newImage(f, file, arch, size)
	if err != nil {
		return err
	}
	for _, s := range m.segments {
		s.file = nil // closed by the time of use
		b.segments = append(b.segments, s)
	}
	mod, err := findModule(m, b.Minor)
	if err != nil {
		return err
	}
	if b.Functions, err = readFuncTable(m, mod, wantedFunction); err != nil {
		return fmt.Errorf("reading .gopclntab: %w", err)
	}
	if err := b.readOffsets(m, mod); err != nil {
		return err
	}
	if b.code, err = readCode(m, b.Functions); err != nil {
		return fmt.Errorf("reading code: %w", err)
	}
	symbols, err := checkedSymbols(b, m, mod)
	if err != nil {
		return err
	}
	if err := b.readGlobals(m, mod, symbols); err != nil {
		return err
	}
	if b.tls, err = b.readTLSOffset(m); err != nil {
		return err
	}
	b.transitions, b.transitionsError = b.readTransitions(m)
	b.ID.BuildID, b.buildIDAt, err = buildID(f)
	return err
}

// architecture is what binaries for one have, and those for another do not.
type architecture struct {
	name string // GOARCH
	// quantum is the least size of an instruction.
	quantum byte
	// relative is the relocation that adds the load bias.
	relative uint32
}

var architectures = map[elf.Machine]architecture{
	elf.EM_X86_64:  {"amd64", 1, uint32(elf.R_X86_64_RELATIVE)},
	elf.EM_AARCH64: {"arm64", 4, uint32(elf.R_AARCH64_RELATIVE)},
}

// goVersion is what runtime.Version is in a release, with the suffix that
// experiments (" X:...") and distributions ("-...") give it.
var goVersion = regexp.MustCompile(`^go1\.([0-9]{1,3})(\.[0-9]+|rc[0-9]+|beta[0-9]+)?([ +-].*)?$`)

func minorVersion(version string) (int, error) {
	parts := goVersion.FindStringSubmatch(version)
	if parts == nil {
		return 0, fmt.Errorf("built with %q: only releases of go1.%d to go1.%d can be watched", version, minMinor, maxMinor)
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil || minor < minMinor || minor > maxMinor {
		return 0, fmt.Errorf("built with %s: only go1.%d to go1.%d can be watched", version, minMinor, maxMinor)
	}
	return minor, nil
}

// setting is a setting of the build, "" when it is not known.
func setting(info *buildinfo.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return clean(s.Value)
		}
	}
	return ""
}

// buildID reads the Go build id from its note, by program header, as sections
// may be stripped: name size 4, description size, type 4, "Go\0\0", id. It is where in the file, too.
func buildID(f *elf.File) (id string, at int64, err error) {
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE || p.Filesz > 1<<20 {
			continue
		}
		note := make([]byte, p.Filesz)
		if _, err := p.ReadAt(note, 0); err != nil {
			return "", 0, fmt.Errorf("reading the build id: %w", err)
		}
		for len(note) >= 12 {
			name, size, kind := f.ByteOrder.Uint32(note), f.ByteOrder.Uint32(note[4:]), f.ByteOrder.Uint32(note[8:])
			start := 12 + (uint64(name)+3)&^3
			end := start + uint64(size)
			if end > uint64(len(note)) {
				break
			}
			if kind == 4 && string(note[12:12+name]) == "Go\x00\x00" {
				return clean(string(note[start:end])), int64(p.Off + p.Filesz - uint64(len(note)) + start), nil
			}
			note = note[min((end+3)&^3, uint64(len(note))):]
		}
	}
	return "", 0, nil
}
