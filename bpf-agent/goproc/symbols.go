package goproc

import (
	"debug/elf"
	"errors"
	"fmt"
)

// checkSymbols has the symbol table, where there is one, check what was found
// without it.
func checkSymbols(b *Binary, m *image, mod *module) error {
	symbols, err := readSymbols(m.elf, "runtime.firstmoduledata", "runtime.sched", "runtime.casgstatus")
	if err != nil {
		return fmt.Errorf("reading the symbol table: %w", err)
	}
	if len(symbols) == 0 {
		return nil
	}
	casgstatus, err := b.Functions.find("runtime.casgstatus")
	if err != nil {
		return err
	}
	for _, check := range []struct {
		symbol         string
		offset, wanted uint64
	}{
		{"runtime.firstmoduledata", 0, mod.address},
		{"runtime.casgstatus", 0, casgstatus.Address},
		{"runtime.sched", layouts[b.Minor].timeToRun, b.Offsets.TimeToRun},
	} {
		at, ok := symbols[check.symbol]
		if !ok {
			return fmt.Errorf("the symbol table lacks %s", check.symbol)
		}
		if at+check.offset != check.wanted {
			return fmt.Errorf("%s+%d is at %#x by the symbol table, at %#x by the binary itself", check.symbol, check.offset, at+check.offset, check.wanted)
		}
	}
	return nil
}

// maxSymbols and maxStrings bound a symbol table that is read for a check, in
// bytes: debug/elf needs four times as much for a moment. A larger one is not
// heard.
const (
	maxSymbols = 32 << 20
	maxStrings = 128 << 20
)

// readSymbols reads the addresses of some symbols: none when there is no table.
func readSymbols(f *elf.File, names ...string) (map[string]uint64, error) {
	table := f.SectionByType(elf.SHT_SYMTAB)
	if table == nil {
		return nil, nil
	}
	if table.Size > maxSymbols || table.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, nil
	}
	for _, s := range f.Sections {
		if s.Type == elf.SHT_STRTAB && (s.Size > maxStrings || s.Flags&elf.SHF_COMPRESSED != 0) {
			return nil, nil
		}
	}
	all, err := f.Symbols()
	if errors.Is(err, elf.ErrNoSymbols) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := map[string]uint64{}
	for _, s := range all {
		for _, name := range names {
			if s.Name != name {
				continue
			}
			if at, twice := found[name]; twice && at != s.Value {
				return nil, fmt.Errorf("two symbols are called %s", name)
			}
			found[name] = s.Value
		}
	}
	return found, nil
}
