package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/metrics"
	"runtime/pprof"
	"runtime/trace"
)

// recordTo writes what is done meanwhile to files of a directory: an execution
// trace (trace), a CPU profile (profile), and what the runtime itself says of
// that time (metrics).
func recordTo(dir string, do func() error) (err error) {
	create := func(name string) *os.File {
		f, failed := os.Create(filepath.Join(dir, name))
		err = errors.Join(err, failed)
		return f
	}
	traced, profiled, measured := create("trace"), create("profile"), create("metrics")
	defer func() { err = errors.Join(err, traced.Close(), profiled.Close(), measured.Close()) }()
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	// The profile within the trace: the trace then has each of its samples.
	if err := trace.Start(traced); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	defer trace.Stop()
	before := readMeasures()
	if err := pprof.StartCPUProfile(profiled); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	err = do()
	pprof.StopCPUProfile()
	after := readMeasures()
	if err := json.NewEncoder(measured).Encode(measures{after.Allocated - before.Allocated, after.Collections - before.Collections}); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return err
}

// measures are of package runtime/metrics.
type measures struct {
	Allocated   uint64 `json:"allocated"`
	Collections uint64 `json:"collections"`
}

func readMeasures() measures {
	read := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(read)
	return measures{read[0].Value.Uint64(), read[1].Value.Uint64()}
}
