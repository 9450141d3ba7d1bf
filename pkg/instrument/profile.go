package instrument

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
)

// Profile is a profile as values; [Profile.Write] encodes it.
type Profile struct {
	Types    []ValueType // what the values of each sample are
	Samples  []Sample
	Time     time.Time     // when it was taken
	Duration time.Duration // that it covers; 0 for what is not of a time
}

// ValueType says what a value is, as in "lifetime" and "nanoseconds".
type ValueType struct{ Type, Unit string }

// Sample is what was measured at one place.
type Sample struct {
	Stack  []Frame // the innermost first
	Values []int64 // one for each of the profile's types
	Labels []Label
}

// Frame is a function in a stack. It need not be one of the program: a profile
// may have its own way to divide things, such as by method and by latency.
type Frame struct {
	Function, File string
	Line           int
}

// Label tells samples apart that have the same stack: by a text or, where that
// is empty, by a number and its unit.
type Label struct {
	Key, Text string
	Number    int64
	Unit      string
}

// Frames are the functions of the program counters that runtime.Callers returns.
func Frames(pcs []uintptr) []Frame {
	var result []Frame
	for frames := runtime.CallersFrames(pcs); ; {
		f, more := frames.Next()
		if f.Function != "" {
			result = append(result, Frame{f.Function, f.File, f.Line})
		}
		if !more {
			return result
		}
	}
}

// Profiler has a profile of its own type.
type Profiler interface {
	// Profile returns the profile as it is now. It is called by several goroutines.
	Profile() (*Profile, error)
}

var registered = struct {
	sync.RWMutex
	profilers map[string]Profiler
}{profilers: map[string]Profiler{}}

// Register makes a profile known by a name, under which [Profiles] serves it and
// package runtime/pprof lists it, empty: there a profile can only count stacks.
// It panics when the name is taken, or has other than letters, digits, "_", "-" and ".".
func Register(name string, p Profiler) {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != "" {
		panic(fmt.Sprintf("instrument.Register: name is %q, must be of letters, digits, \"_\", \"-\" and \".\"", name))
	}
	registered.Lock()
	defer registered.Unlock()
	pprof.NewProfile(name)
	registered.profilers[name] = p
}

// Profiles serves registered profiles under /debug/pprof/, and leaves all other
// requests to next:
//
//	/debug/pprof/NAME          the profile, as "go tool pprof" reads it; with ?debug=1 as text
//	/debug/pprof/NAME/stream   as it grows, when it is a [StreamingProfiler]
//
// It goes before package net/http/pprof:
//
//	http.ListenAndServe(address, instrument.Profiles(http.DefaultServeMux))
func Profiles(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := strings.CutPrefix(r.URL.Path, "/debug/pprof/")
		name, part, _ := strings.Cut(path, "/")
		registered.RLock()
		p := registered.profilers[name]
		registered.RUnlock()
		streaming, streams := p.(StreamingProfiler)
		switch {
		case !ok || p == nil:
			next.ServeHTTP(w, r)
		case part == "":
			serveProfile(w, r, name, p)
		case part == "stream" && streams:
			StreamHandler(streaming).ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}

func serveProfile(w http.ResponseWriter, r *http.Request, name string, p Profiler) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	profile, err := p.Profile()
	if err != nil {
		http.Error(w, fmt.Sprintf("profile %s: %v", name, err), http.StatusInternalServerError)
		return
	}
	if debug := r.FormValue("debug"); debug != "" && debug != "0" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		profile.print(w)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
	profile.Write(w) // to a client that may have gone
}
