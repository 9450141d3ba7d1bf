package goproc

// Func is a function of a binary, at its linked addresses.
type Func struct {
	Name         string
	Address, End uint64 // [Address, End)
}

// FuncTable names the functions of a binary.
type FuncTable struct{}

// Lookup finds a function by its full name, "runtime.execute".
func (t *FuncTable) Lookup(name string) (Func, bool) { return Func{}, false }

// Name is the function that holds a linked address, "" when none is known.
func (t *FuncTable) Name(pc uint64) string { return "" }
