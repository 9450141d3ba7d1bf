package goproc

import (
	"debug/elf"
	"errors"
	"fmt"
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
