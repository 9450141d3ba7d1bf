package goproc

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// checkedSymbols are the addresses of globals by the symbol table, none where
// there is no table. It must agree with what was found without it.
func checkedSymbols(b *Binary, m *image, mod *module) (map[string]uint64, error) {
	const module, function = "runtime.firstmoduledata", "runtime.casgstatus"
	names := []string{module, function}
	for _, w := range globalWitnesses {
		names = append(names, w.global)
	}
	symbols, err := readSymbols(m.elf, names...)
	if err != nil {
		return nil, fmt.Errorf("reading the symbol table: %w", err)
	}
	if len(symbols) == 0 {
		return nil, nil
	}
	casgstatus, err := b.Functions.find(function)
	if err != nil {
		return nil, err
	}
	for symbol, wanted := range map[string]uint64{module: mod.address, function: casgstatus.Address} {
		at, ok := symbols[symbol]
		if !ok {
			return nil, fmt.Errorf("the symbol table lacks %s", symbol)
		}
		if at != wanted {
			return nil, fmt.Errorf("%s is at %#x by the symbol table, at %#x by the binary itself", symbol, at, wanted)
		}
	}
	return symbols, nil
}

// readSymbols reads the addresses of some symbols: none when there is no table.
// It goes through names and symbols once each, and keeps none of the others: a
// large program has 30 MB of them.
func readSymbols(f *elf.File, names ...string) (map[string]uint64, error) {
	table := f.SectionByType(elf.SHT_SYMTAB)
	if table == nil || table.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, nil
	}
	if int(table.Link) >= len(f.Sections) || table.Link == 0 {
		return nil, fmt.Errorf("its names are in section %d of %d", table.Link, len(f.Sections))
	}
	strings := f.Sections[table.Link]
	if strings.Type != elf.SHT_STRTAB || strings.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, fmt.Errorf("its names are in a section of type %v", strings.Type)
	}
	wanted, err := symbolNames(strings.Open(), names)
	if err != nil {
		return nil, err
	}
	found := map[string]uint64{}
	symbols := bufio.NewReaderSize(table.Open(), windowSize)
	for symbol := [24]byte{}; ; { // name, info, other, section; value; size
		_, err := io.ReadFull(symbols, symbol[:])
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		name, ok := wanted[binary.LittleEndian.Uint32(symbol[:])]
		if !ok {
			continue
		}
		value := binary.LittleEndian.Uint64(symbol[8:])
		if at, twice := found[name]; twice && at != value {
			return nil, fmt.Errorf("two symbols are called %s", name)
		}
		found[name] = value
	}
}

// symbolNames finds where in a table of strings the names are: those at the end
// of longer ones, too, which linkers do not write twice.
func symbolNames(table io.Reader, names []string) (map[uint32]string, error) {
	found := map[uint32]string{}
	r := bufio.NewReaderSize(table, maxName)
	for at := uint64(0); at <= math.MaxUint32; {
		s, err := r.ReadSlice(0)
		at += uint64(len(s))
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue // the beginning of one that is longer than any of ours
		}
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if bytes.HasSuffix(s[:len(s)-1], []byte(name)) {
				found[uint32(at)-1-uint32(len(name))] = name
			}
		}
	}
	return found, nil
}
