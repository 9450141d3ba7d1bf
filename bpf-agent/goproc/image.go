package goproc

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// What is read of a file is bounded: a sparse file can claim any size. All
// tables of Go's own compiler, which is a large program, are 6 MB.
const (
	maxRead   = 256 << 20 // of all that is kept in memory for a moment
	maxLoaded = 2 << 30   // of segments: as far as code reaches
)

// image is an executable file seen by linked address, as it will lie in memory
// before a load bias is added. Its bytes are whatever somebody's process runs:
// each address and length is checked against the segments, so that what reading
// can allocate is bounded by the file, and by maxRead.
type image struct {
	elf      *elf.File
	file     io.ReaderAt
	arch     architecture
	segments []segment
	// relocations of a position-independent executable, by address: the file
	// holds zeros where its pointers will be.
	relocations []relocation
	read        uint64 // bytes so far
	pages       pages
}

// segment is what the file has of a part of memory.
type segment struct {
	address, offset, size uint64
	flags                 elf.ProgFlag
	file                  io.ReaderAt // of this segment alone
}

type relocation struct{ address, value uint64 }

func newImage(f *elf.File, file io.ReaderAt, arch architecture, size uint64) (*image, error) {
	m := &image{elf: f, file: file, arch: arch}
	loaded := uint64(0)
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Filesz == 0 {
			continue
		}
		if p.Off > size || p.Filesz > size-p.Off || p.Vaddr+p.Filesz < p.Vaddr {
			return nil, fmt.Errorf("segment at file offset %d of %d bytes is outside the file of %d", p.Off, p.Filesz, size)
		}
		if loaded += p.Filesz; loaded > maxLoaded {
			return nil, fmt.Errorf("segments of over %d bytes, limit %d", loaded, maxLoaded)
		}
		m.segments = append(m.segments, segment{p.Vaddr, p.Off, p.Filesz, p.Flags, p.ReaderAt})
	}
	if f.Type == elf.ET_DYN {
		if err := m.readRelocations(); err != nil {
			return nil, fmt.Errorf("reading relocations: %w", err)
		}
	}
	return m, nil
}

// segment finds the segment that has all of [address, address+n).
func (m *image) segment(address, n uint64) (segment, error) {
	for _, s := range m.segments {
		if address >= s.address && address-s.address <= s.size && n <= s.size-(address-s.address) {
			return s, nil
		}
	}
	return segment{}, fmt.Errorf("no segment of the file has %d bytes at %#x", n, address)
}

// inFile is where in the file a part of memory is.
func (m *image) inFile(memory span) (span, error) {
	s, err := m.segment(memory.address, memory.size)
	return span{memory.address - s.address + s.offset, memory.size}, err
}

// bytes reads n bytes at a linked address, as the file has them.
func (m *image) bytes(address, n uint64) ([]byte, error) {
	s, err := m.segment(address, n)
	if err != nil {
		return nil, err
	}
	if m.read += n; m.read > maxRead {
		return nil, fmt.Errorf("tables of %d bytes and more, limit %d", m.read, maxRead)
	}
	b := make([]byte, n)
	if _, err := s.file.ReadAt(b, int64(address-s.address)); err != nil {
		return nil, fmt.Errorf("reading %d bytes at %#x: %w", n, address, err)
	}
	return b, nil
}

// pages are the parts of a file that were last read one by one.
type pages struct {
	of   map[page][]byte
	turn []page // as they were read
}

// page is a part of a segment.
type page struct{ segment, at uint64 }

// pageSize and maxPages say how much is remembered of what is read one by one.
const (
	pageSize = 8 << 10
	maxPages = 32
)

// cached reads n bytes at a linked address, of what lies about and is looked at
// again: they are the caller's until the next call.
func (m *image) cached(address, n uint64) ([]byte, error) {
	s, err := m.segment(address, n)
	if err != nil {
		return nil, err
	}
	at := address - s.address
	p := page{s.address, at &^ (pageSize - 1)}
	if at-p.at+n > pageSize {
		return m.bytes(address, n) // over the edge of a page
	}
	b, ok := m.pages.of[p]
	if !ok {
		if len(m.pages.turn) < maxPages {
			b = make([]byte, pageSize)
		} else {
			b = m.pages.of[m.pages.turn[0]]
			delete(m.pages.of, m.pages.turn[0])
			m.pages.turn = m.pages.turn[1:]
		}
		size := min(pageSize, s.size-p.at)
		if _, err := s.file.ReadAt(b[:size], int64(p.at)); err != nil {
			return nil, fmt.Errorf("reading %d bytes at %#x: %w", size, s.address+p.at, err)
		}
		if m.pages.of == nil {
			m.pages.of = map[page][]byte{}
		}
		m.pages.of[p] = b
		m.pages.turn = append(m.pages.turn, p)
	}
	return b[at-p.at:][:n], nil
}

// words reads n 8-byte words at a linked address, relocated.
func (m *image) words(address, n uint64) ([]uint64, error) {
	b, err := m.bytes(address, n*8)
	if err != nil {
		return nil, err
	}
	w := make([]uint64, n)
	for i := range w {
		w[i] = m.relocated(address+uint64(i)*8, b[i*8:])
	}
	return w, nil
}

// relocated is the word at an address whose bytes in the file are given.
func (m *image) relocated(address uint64, b []byte) uint64 {
	i, ok := slices.BinarySearchFunc(m.relocations, address, func(r relocation, a uint64) int { return cmp.Compare(r.address, a) })
	if ok {
		return m.relocations[i].value
	}
	return binary.LittleEndian.Uint64(b)
}

// executable says whether code at an address can run.
func (m *image) executable(address uint64) bool {
	s, err := m.segment(address, 1)
	return err == nil && s.flags&elf.PF_X != 0
}

// readRelocations reads the relative relocations that PT_DYNAMIC points to.
// Those packed as RELR keep their addend in place, and need no reading.
func (m *image) readRelocations() error {
	var table, size uint64
	for _, p := range m.elf.Progs {
		if p.Type != elf.PT_DYNAMIC {
			continue
		}
		d, err := m.bytes(p.Vaddr, p.Filesz)
		if err != nil {
			return err
		}
		for ; len(d) >= 16; d = d[16:] {
			switch value := binary.LittleEndian.Uint64(d[8:]); elf.DynTag(binary.LittleEndian.Uint64(d)) {
			case elf.DT_RELA:
				table = value
			case elf.DT_RELASZ:
				size = value
			}
		}
	}
	if size == 0 {
		return nil
	}
	b, err := m.bytes(table, size)
	if err != nil {
		return err
	}
	m.relocations = make([]relocation, 0, len(b)/24)
	for ; len(b) >= 24; b = b[24:] {
		if binary.LittleEndian.Uint64(b[8:]) == uint64(m.arch.relative) {
			m.relocations = append(m.relocations, relocation{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[16:])})
		}
	}
	slices.SortFunc(m.relocations, func(a, b relocation) int { return cmp.Compare(a.address, b.address) })
	return nil
}

// find calls found with the address of each place in the segments with all of
// the flags whose bytes in the file are the pattern, until it says false.
func (m *image) find(pattern []byte, flags elf.ProgFlag, found func(address uint64) bool) error {
	for _, s := range m.segments {
		if s.flags&flags != flags {
			continue
		}
		// Chunks overlap by one byte less than the pattern.
		chunk := make([]byte, min(s.size, 1<<20))
		for at := uint64(0); at < s.size && s.size-at >= uint64(len(pattern)); {
			n := min(s.size-at, uint64(len(chunk)))
			if _, err := s.file.ReadAt(chunk[:n], int64(at)); err != nil {
				return fmt.Errorf("searching the segment at %#x: %w", s.address, err)
			}
			for i := 0; ; {
				j := bytes.Index(chunk[i:n], pattern)
				if j < 0 {
					break
				}
				if !found(s.address + at + uint64(i+j)) {
					return nil
				}
				i += j + 1
			}
			if n < uint64(len(chunk)) || at+n == s.size {
				break
			}
			at += n - uint64(len(pattern)) + 1
		}
	}
	return nil
}

// pointersTo lists the places in writable memory that will hold an address,
// at most limit of them.
func (m *image) pointersTo(address uint64, limit int) ([]uint64, error) {
	var places []uint64
	for _, r := range m.relocations {
		if r.value == address && len(places) < limit {
			places = append(places, r.address)
		}
	}
	err := m.find(binary.LittleEndian.AppendUint64(nil, address), elf.PF_W, func(a uint64) bool {
		if a%8 == 0 && !slices.Contains(places, a) {
			places = append(places, a)
		}
		return len(places) < limit
	})
	return places, err
}
