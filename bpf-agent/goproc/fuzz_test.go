package goproc

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// What is read belongs to whoever runs the process, and may be made to harm the
// reader. These run the corpus in testdata/fuzz with each go test; more of it
// with go test -fuzz=FuzzReadBinary and so on.

// victim is a binary, and the places where to hurt it: everything that says
// where something else is.
var victim = sync.OnceValues(func() (whole []byte, places [][2]uint64) {
	path := target(skipless{}, newest, linkage{name: "symbols only", flags: []string{"-ldflags=-w"}})
	whole, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	f, err := elf.NewFile(bytes.NewReader(whole))
	if err != nil {
		panic(err)
	}
	m, err := newImage(f, bytes.NewReader(whole), architectures[f.Machine], uint64(len(whole)))
	if err != nil {
		panic(err)
	}
	mod, err := findModule(m, 27)
	if err != nil {
		panic(err)
	}
	b, refusal := readBinary(bytes.NewReader(whole), uint64(len(whole)), path)
	if refusal != nil {
		panic(refusal)
	}
	at := func(address, size uint64) {
		offset, err := b.fileOffset(address)
		if err != nil {
			panic(err)
		}
		places = append(places, [2]uint64{offset, size})
	}
	casgstatus, _ := b.Functions.Lookup("runtime.casgstatus")
	places = append(places,
		[2]uint64{0, 64 + 56*uint64(len(f.Progs))}, // headers of file and segments
		[2]uint64{binary.LittleEndian.Uint64(whole[0x28:]), 64 * uint64(len(f.Sections))},
		[2]uint64{f.Section(".go.buildinfo").Offset, f.Section(".go.buildinfo").Size},
	)
	at(f.Section(".note.go.buildid").Addr, f.Section(".note.go.buildid").Size)
	at(mod.address, 48*8)
	at(f.Section(".gopclntab").Addr, 72)
	at(mod.names.address, mod.names.size)
	at(mod.funcs.address, mod.funcs.size)
	at(mod.types, mod.links.size)
	at(mod.types, mod.etypes-mod.types)
	for _, name := range []string{".symtab", ".strtab"} {
		places = append(places, [2]uint64{f.Section(name).Offset, f.Section(name).Size})
	}
	at(casgstatus.Address, casgstatus.End-casgstatus.Address)
	return whole, places
})

// skipless is a testing.TB for what is built outside of any test.
type skipless struct{ testing.TB }

func (skipless) Helper()           {}
func (skipless) Fatal(args ...any) { panic(args) }

// FuzzReadBinary hurts a real binary: each 12 bytes of the input say at which
// place, where in it, and what to write there. It is refused, or read as if
// nothing were wrong; there is no panic, not even one that is recovered from,
// and no more memory is taken than the file can account for.
func FuzzReadBinary(f *testing.F) {
	whole, places := victim()
	for place := range places {
		f.Add([]byte{byte(place), 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
		f.Add([]byte{byte(place), 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, patches []byte) {
		hurt := bytes.Clone(whole)
		for ; len(patches) >= 12; patches = patches[12:] {
			place := places[int(patches[0])%len(places)]
			where := uint64(patches[1])<<16 | uint64(patches[2])<<8 | uint64(patches[3])
			if at := place[0] + where%place[1]; at < uint64(len(hurt)) {
				copy(hurt[at:], patches[4:12])
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b, refusal := readBinary(bytes.NewReader(hurt), uint64(len(hurt)), "hurt")
		runtime.ReadMemStats(&after)
		if took, limit := after.TotalAlloc-before.TotalAlloc, uint64(16*len(hurt)); took > limit {
			t.Errorf("took %d bytes for a file of %d, limit %d", took, len(hurt), limit)
		}
		if (b == nil) == (refusal == nil) {
			t.Fatalf("binary %v and refusal %v", b, refusal)
		}
		if refusal != nil {
			if refusal.Reason == "" || !utf8.ValidString(refusal.Reason) || strings.HasPrefix(refusal.Reason, "malformed: runtime error") {
				t.Errorf("refused with %q", refusal.Reason)
			}
			return
		}
		for _, function := range probed {
			for _, kind := range []SiteKind{SitePush, SiteBranch, SiteReturn} {
				sites, err := b.Sites(function, kind)
				if err != nil {
					continue
				}
				for _, s := range sites {
					if !bytes.Equal(hurt[s.Offset:][:len(s.Code)], s.Code) {
						t.Errorf("%s: the site has % x", function, s.Code)
					}
				}
			}
		}
		checkNames(t, b.Functions, bytes.NewReader(hurt))
	})
}

// checkNames fails when a function has a name that can't be shown. The names
// that can't be read are an error, which is none of ours.
func checkNames(t *testing.T, table *FuncTable, file io.ReaderAt) {
	names := 0
	for f, err := range table.all(file, "") {
		if err != nil {
			return
		}
		if !utf8.ValidString(f.Name) || strings.ContainsFunc(f.Name, func(r rune) bool { return r < ' ' }) {
			t.Errorf("a function is called %q", f.Name)
		}
		if f.End < f.Address {
			t.Errorf("%s ends before it starts", f.Name)
		}
		if names++; f.End > f.Address && names%97 == 1 {
			if name, err := table.name(file, f.End-1); name != f.Name || err != nil {
				t.Errorf("%#x is in %q (%v), want %q", f.End-1, name, err, f.Name)
			}
		}
	}
}

// FuzzFuncTable reads a function table of any bytes.
func FuzzFuncTable(f *testing.F) {
	le := binary.LittleEndian
	var good []byte // two functions, at 0 and 16, up to 32
	for _, word := range []uint32{0, 20, 16, 28, 32, 0, 0, 16, 2} {
		good = le.AppendUint32(good, word)
	}
	f.Add(uint64(0x401000), uint64(2), good, []byte("f\x00g\x00"))
	f.Add(uint64(0x401000), uint64(2), good, []byte("f\x00\xff\x1b"))
	f.Add(^uint64(0), uint64(1)<<61, good, []byte{})
	f.Fuzz(func(t *testing.T, text, functions uint64, funcs, names []byte) {
		file := bytes.NewReader(append(bytes.Clone(funcs), names...))
		table := &FuncTable{text: text, index: span{0, uint64(len(funcs))}, names: span{uint64(len(funcs)), uint64(len(names))}}
		if err := table.read(file, functions, func(name string) bool { return name == "f" }); err != nil {
			return
		}
		if text < 1<<63 { // addresses that do not wrap around
			checkNames(t, table, file)
		}
		table.Lookup("f")
		_, _ = table.name(file, text)
	})
}

// FuzzTypes follows type descriptors of any bytes.
func FuzzTypes(f *testing.F) {
	whole, places := victim()
	all := whole[places[9][0]:][:places[9][1]]
	// *runtime.g, which points to a runtime.g with one field, goid, at 152.
	made := make([]byte, 512)
	le := binary.LittleEndian
	const base = 0x100000
	f.Add(uint64(base), []byte{0, 0, 0, 0, 48, 0, 0, 0}, all[:4096])
	f.Add(uint64(base), []byte{}, all[8:4096])
	made[23] = kindPointer
	le.PutUint32(made[40:], 400)
	le.PutUint64(made[48:], base+64)
	le.PutUint64(made[64:], 440)
	made[64+20], made[64+23] = flagUncommon, kindStruct
	le.PutUint32(made[64+structSize:], 440)
	le.PutUint32(made[64+40:], 420)
	le.PutUint64(made[64+48:], base+440)
	le.PutUint64(made[64+56:], base+256)
	le.PutUint64(made[64+64:], 1)
	le.PutUint64(made[256:], base+460)
	le.PutUint64(made[256+16:], 152)
	for at, name := range map[int]string{400: "*runtime.g", 420: "runtime.g", 440: "runtime", 460: "goid"} {
		made[at+1] = byte(len(name))
		copy(made[at+2:], name)
	}
	f.Add(uint64(base), []byte{0, 0, 0, 0}, made)
	const table = 0x100
	f.Fuzz(func(t *testing.T, base uint64, typelinks, b []byte) {
		if base < 1<<20 || base > 1<<62 || len(typelinks) > 1<<16 {
			return
		}
		// The descriptors, and in front of all, typelinks.
		read := func(address, n uint64) ([]byte, error) {
			all := b
			if address < table+uint64(len(typelinks)) {
				all, address = typelinks, address-table
			} else {
				address -= base
			}
			if address > uint64(len(all)) || n > uint64(len(all))-address {
				return nil, io.ErrUnexpectedEOF
			}
			return all[address:][:n], nil
		}
		types := &types{base: base, end: base + uint64(len(b)), read: read}
		types.word = func(address uint64) (uint64, error) {
			w, err := read(address, 8)
			if err != nil {
				return 0, err
			}
			return binary.LittleEndian.Uint64(w), nil
		}
		if types.links.table = (span{table, uint64(len(typelinks))}); len(typelinks) < 4 {
			types.links = links{size: uint64(len(b))}
		}
		structs, err := types.structs("runtime.g")
		if err != nil {
			return
		}
		for name, fields := range structs {
			if name != "runtime.g" || fields == nil {
				t.Errorf("found %s with %v", name, fields)
			}
		}
	})
}

// FuzzIdentity reads an environment of any bytes.
func FuzzIdentity(f *testing.F) {
	f.Add([]byte("PATH=/bin\x00OTEL_SERVICE_NAME=till\x00OTEL_RESOURCE_ATTRIBUTES=service.name=x,service.version=%31%2e0\x00"), "/usr/bin/till (deleted)")
	f.Add([]byte("OTEL_RESOURCE_ATTRIBUTES=,,=,%,service.version"), "")
	f.Add([]byte("OTEL_SERVICE_NAME=\xff\xfe\x1b]0;x\x07"), "\x00")
	f.Fuzz(func(t *testing.T, environment []byte, executable string) {
		id := identify(environment, nil, executable)
		for _, s := range []string{id.Service, id.Version} {
			if s == "" || len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("identity %q, %q", id.Service, id.Version)
			}
		}
	})
}

// FuzzListening reads a table of sockets of any bytes.
func FuzzListening(f *testing.F) {
	const heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	f.Add([]byte(heading + "   0: 0100007F:1BCD 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n"))
	f.Add([]byte(heading + "   0: :: 0A"))
	f.Fuzz(func(t *testing.T, b []byte) {
		wanted := map[uint64]bool{}
		readListening(bytes.NewReader(b), []int{0x1bcd}, wanted)
		if wanted[0] {
			t.Error("no socket has inode 0")
		}
	})
}

// FuzzPlace reads a /proc/PID/cgroup of any bytes.
func FuzzPlace(f *testing.F) {
	f.Add("0::/system.slice/docker-"+webID+".scope\n", "/system.slice", "docker-"+webID+".scope")
	f.Add("12:cpu,cpuacct:/kubepods/burstable/pod1/"+webID+"\n1:name=systemd:/user.slice/user@7.service/_cpu.service (deleted)\n", "/kubepods", "cpu")
	f.Add("0::/../..\n::::\n0:/\n\x00:\xff:/.service/.scope/-"+sidecar, "/..", ".service")
	f.Fuzz(func(t *testing.T, text, group, unit string) {
		p := parsePlace(text)
		for _, id := range p.containers {
			if len(id) != containerIDLength || checkContainerPrefix(id) != nil || !p.inContainer(id[:12]) {
				t.Errorf("container %q", id)
			}
		}
		for _, u := range p.units {
			if strings.ContainsAny(u, "/\n") || !p.inUnit(u) {
				t.Errorf("unit %q", u)
			}
		}
		for _, at := range p.paths {
			if !strings.Contains(text, at) || !p.cgroup(at) || !p.cgroup("/") {
				t.Errorf("path %q", at)
			}
		}
		if checkCgroup(group) == nil && p.cgroup(group) && group != "/" && !strings.Contains(text, group) {
			t.Errorf("in %q, of which %q says nothing", group, text)
		}
		if checkUnit(unit) == nil && p.inUnit(unit) && !strings.Contains(text, strings.TrimSuffix(unit, ".service")) {
			t.Errorf("in %q, of which %q says nothing", unit, text)
		}
	})
}
