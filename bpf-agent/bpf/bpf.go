// Package bpf holds the programs that run in the kernel, and what bpf2go makes
// of them: their compiled form, and Go types for what they share with user
// space. Package probe loads and attaches them.
package bpf

//go:generate go tool bpf2go -target amd64,arm64 -strip llvm-strip -cflags "-O2 -Wall -Werror" -type process -type key -type count -type event -type long_event -type tally -type slot_tallies -type program -type word -type word_key -type coarse_count -type last_carried -type point -type holder -type label_layout -type pulse -type serving -type map_layout -type request Kernel gotherm.bpf.c
//go:generate go tool bpf2go -target amd64,arm64 -strip llvm-strip -cflags "-O2 -Wall -Werror -Wno-unused-function" -no-global-types Calibrate calibrate.bpf.c
