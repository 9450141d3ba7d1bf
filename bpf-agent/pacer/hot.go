package pacer

// hot is what the agent puts probes on to learn what they cost: its first
// instruction is one that the kernel emulates, as are most sites of probes, and
// its last is the return.
func hot()

// hotAddress is where hot begins.
func hotAddress() uintptr
