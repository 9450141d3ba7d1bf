package probe

import (
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

// script is what bpftrace does for a point: the same as the point's programs,
// in words that can be read, checked and changed.
type script struct {
	// at has what is done where a program of the point is attached, by its name:
	// templates, see [scriptOf.execute].
	at map[string]string
	// needs says what bpftrace lacks for it in a binary. It may be nil.
	needs func(*goproc.Binary) error
}

// A pause is open from the push of startTheWorldWithSema to its RET.
const (
	openPause  = `@open = 1; @reason = reg("bx") & 0xff; @started = reg("cx"); @finished = reg("di");`
	closePause = `if (@open == 1) { @open = 0; $ns = %s; @hits = count(); @ns = hist($ns); @sum = sum($ns); @by_reason[@reason] = count(); }`
)

// scripts has the points that bpftrace can take, by name.
var scripts = map[string]script{
	"gc.stw": {at: map[string]string{
		bpf.KernelProgGcStart:   openPause,
		bpf.KernelProgGcStarted: fmt.Sprintf(closePause, `reg("ax") - @started`),
	}},
	"gc.stw.stopping": {needs: needsFinished, at: map[string]string{
		bpf.KernelProgGcStart:   openPause,
		bpf.KernelProgGcStarted: fmt.Sprintf(closePause, `@finished - @started`),
	}},
	"gc.stw.stopped": {needs: needsFinished, at: map[string]string{
		bpf.KernelProgGcStart:   openPause,
		bpf.KernelProgGcStarted: fmt.Sprintf(closePause, `reg("ax") - @finished`),
	}},
	"gc.cycle": {at: map[string]string{
		bpf.KernelProgGcStart: `$now = reg("ax"); $reason = reg("bx") & 0xff;
	if ($reason == 2) { @cycle = reg("cx"); }
	if ($reason == 1 && $now != 0) {
		if (@cycle != 0) { $ns = $now - @cycle; @hits = count(); @ns = hist($ns); @sum = sum($ns); }
		@cycle = 0;
	}`,
	}},
	"gc.mark": {at: map[string]string{
		bpf.KernelProgGcStart: `@reason = reg("bx") & 0xff;
	if (@reason == 1 && @marking != 0 && reg("ax") != 0) {
		$ns = reg("cx") - @marking; @hits = count(); @ns = hist($ns); @sum = sum($ns);
	}
	if (@reason == 1 || @reason == 2) { @marking = 0; }`,
		bpf.KernelProgGcStarted: `if (@reason == 2) { @marking = reg("ax"); }
	@reason = 0;`,
	}},
	"sched.latency": {at: map[string]string{
		bpf.KernelProgSchedLatency: `if (reg("ax") == {{address .Binary.Offsets.TimeToRun}}) {
		$ns = (int64)reg("bx");
		if ($ns < 0) { $ns = 0; }
		@hits = count(); @ns = hist($ns); @sum = sum($ns);
	}`,
	}},
	"sched.latency.exact": {at: map[string]string{
		bpf.KernelProgGoroutineReady: changes(goproc.StatusUnknown, goproc.Runnable) + ` { @since[reg("ax")] = nsecs; }`,
		bpf.KernelProgSchedRun:       changes(goproc.Runnable, goproc.Running) + ` { ` + endSince + ` }`,
	}},
	"goroutine.create": {at: map[string]string{
		bpf.KernelProgGoroutineCreate: changes(goproc.Dead, goproc.StatusUnknown) + ` { @hits = count(); ` + byFunction + ` }`,
	}},
	"goroutine.exit": {at: map[string]string{
		bpf.KernelProgGoroutineExit: changes(goproc.Running, goproc.Dead) + ` { @hits = count(); ` + byFunction + ` }`,
	}},
	"goroutine.lifetime": {at: map[string]string{
		bpf.KernelProgGoroutineCreate: changes(goproc.Dead, goproc.StatusUnknown) + ` { @since[reg("ax")] = nsecs; }`,
		bpf.KernelProgGoroutineExit:   changes(goproc.Running, goproc.Dead) + ` { ` + endSince + ` }`,
	}},
	"goroutine.wait": {at: map[string]string{
		bpf.KernelProgGoroutinePark:    changes(goproc.Running, goproc.Waiting) + ` { @since[reg("ax")] = nsecs; }`,
		bpf.KernelProgGoroutinePreempt: `@since[reg("ax")] = nsecs;`,
		bpf.KernelProgGoroutineReady: changes(goproc.Waiting, goproc.Runnable) + ` {
		if (@since[reg("ax")] != 0) { @by_reason[*(uint8 *)(reg("ax") + {{field "runtime.g" "waitreason"}})] = count(); }
		` + endSince + `
	}`,
	}},
}

// What is done at a change of a goroutine's status, casgstatus(gp, from, to).
const (
	byFunction = `@by_function[usym(*(uint64 *)(reg("ax") + {{field "runtime.g" "startpc"}}))] = count();`
	endSince   = `if (@since[reg("ax")] != 0) { $ns = nsecs - @since[reg("ax")]; @hits = count(); @ns = hist($ns); @sum = sum($ns); } delete(@since[reg("ax")]);`
)

// changes is the condition that the status changes so.
func changes(from, to goproc.Status) string {
	var all []string
	if from != goproc.StatusUnknown {
		all = append(all, fmt.Sprintf(`(reg("bx") & 0xffffffff) == %d`, from))
	}
	if to != goproc.StatusUnknown {
		all = append(all, fmt.Sprintf(`(reg("cx") & 0xffffffff) == %d`, to))
	}
	return "if (" + strings.Join(all, " && ") + ")"
}

// needsFinished is for what needs the time at which the world had stopped,
// which the runtime hands over since Go 1.23. Until then the agent reads the
// clock, and not all versions of bpftrace can read the same.
func needsFinished(b *goproc.Binary) error {
	if b.Minor < firstFinishedMinor {
		return fmt.Errorf("%s does not say when the world had stopped: only Go 1.%d and later do", b.GoVersion, firstFinishedMinor)
	}
	return nil
}

// inKernelOnly says why points have no script: what the agent does for them
// bpftrace can't.
func inKernelOnly(point Point) error {
	for _, p := range point.Probes {
		if p.Function == "" {
			return errors.New("it is not taken at a place in the process alone, but by the kernel: at a tracepoint, or by the clock of its CPUs")
		}
	}
	return errors.New("bpftrace can't express what the agent does in the kernel for it")
}

// Script returns a script for bpftrace that counts and histograms a point of a
// process at the very places where the agent does. It is of that binary: each
// build has other places. Its @hits are as many as the point's, its @ns and
// @sum are of the same values.
func Script(p *goproc.Process, pom string) (string, error) {
	number, err := PointNumber(pom)
	if err != nil {
		return "", err
	}
	if p.Refused != nil {
		return "", p.Refused
	}
	point := Catalogue[number]
	text, err := scriptOf{p, point}.write()
	if err != nil {
		return "", fmt.Errorf("script for %s of process %d: %w", pom, p.PID, err)
	}
	return text, nil
}

// scriptOf is a script that is being written.
type scriptOf struct {
	*goproc.Process
	point Point
}

func (s scriptOf) write() (string, error) {
	known, ok := scripts[s.point.Name]
	if !ok {
		return "", inKernelOnly(s.point)
	}
	for _, needs := range []func(*goproc.Binary) error{s.point.needs, known.needs} {
		if needs == nil {
			continue
		}
		if err := needs(s.Binary); err != nil {
			return "", err
		}
	}
	file := fmt.Sprintf("/proc/%d/exe", s.PID)
	symbols, err := readSymbols(file)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `// %s of process %d, which runs %q, built with %s.
// %s
//
// Run it as: BPFTRACE_MAP_KEYS_MAX=262144 bpftrace --unsafe FILE
// The places are offsets in the file that the process runs, and in no other
// build of it. bpftrace can't see that they are where instructions begin, hence
// --unsafe; the agent found them by decoding. They are where a probe costs a
// tenth of what it does at a function's entry, and is hit once a call.
`, s.point.Name, s.PID, s.Executable, s.Binary.GoVersion, s.point.Help)
	for _, probe := range s.point.Probes {
		body, ok := known.at[probe.Program]
		if !ok {
			continue // it is for a dimension
		}
		sites, err := probe.sites(s.Binary)
		if err != nil {
			return "", err
		}
		var places []string
		for _, site := range sites {
			if err := s.CheckCode(site); err != nil {
				return "", err
			}
			places = append(places, fmt.Sprintf("uprobe:%s:%s", file, symbols.place(site, s.Binary.Functions)))
		}
		body, err = s.execute(body)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\n// %s.\n%s\n/pid == %d/\n{\n\t%s\n}\n", whereabouts(sites), strings.Join(places, ",\n"), s.PID, body)
	}
	return b.String() + ending(b.String()), nil
}

// whereabouts says in words where sites are.
func whereabouts(sites []goproc.Site) string {
	var functions []string
	for _, site := range sites {
		if !slices.Contains(functions, site.Function) {
			functions = append(functions, site.Function)
		}
	}
	what := "At the " + sites[0].Kind.String()
	if sites[0].Kind == goproc.SiteTransition {
		what = "At calls of runtime.casgstatus"
	}
	return what + " in " + strings.Join(functions, ", ")
}

// execute fills in what a binary has elsewhere than another.
func (s scriptOf) execute(body string) (string, error) {
	t, err := template.New(s.point.Name).Funcs(template.FuncMap{
		"field":   s.Binary.Field,
		"address": func(linked uint64) string { return fmt.Sprintf("%#x", linked+s.LoadBias) },
	}).Parse(body)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, s); err != nil {
		return "", err
	}
	return b.String(), nil
}

// passing are the maps of scripts that are only for what comes next, and would
// be printed at the end.
var passing = []string{"@open", "@reason", "@started", "@finished", "@cycle", "@marking", "@since"}

// ending clears what is of no interest when a script ends.
func ending(script string) string {
	var b strings.Builder
	for _, name := range passing {
		if strings.Contains(script, name+" = ") || strings.Contains(script, name+"[") {
			fmt.Fprintf(&b, "\tclear(%s);\n", name)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\nEND\n{\n" + b.String() + "}\n"
}

// symbols are the address ranges that bpftrace knows of a file.
type symbols []elf.Symbol

func readSymbols(path string) (symbols, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read symbols: %w", err)
	}
	defer f.Close()
	var all symbols
	for _, read := range []func() ([]elf.Symbol, error){f.Symbols, f.DynamicSymbols} {
		some, err := read()
		if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
			return nil, fmt.Errorf("read symbols: %w", err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// place writes where a site is for bpftrace. It takes a number for an address
// where a symbol is, and for an offset in the file, as the kernel wants it,
// where there is none. So where a symbol is at that number, by chance, the site
// must be told from the symbol on, which not all builds of bpftrace allow.
func (all symbols) place(site goproc.Site, functions *goproc.FuncTable) string {
	for _, s := range all {
		if site.Offset >= s.Value && site.Offset-s.Value < s.Size {
			f, _ := functions.Lookup(site.Function)
			return fmt.Sprintf("%q+%d", site.Function, site.Address-f.Address)
		}
	}
	return fmt.Sprintf("%#x", site.Offset)
}
