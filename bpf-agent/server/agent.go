package server

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/gothermpb"
)

// GetAgent says who answers, and how much it has seen, carried and counted.
func (s *Server) GetAgent(context.Context, *connect.Request[gothermpb.GetAgentRequest]) (*connect.Response[gothermpb.GetAgentResponse], error) {
	var kernel unix.Utsname
	if err := unix.Uname(&kernel); err != nil {
		return nil, connect.NewError(connect.CodeInternal, fmt.Errorf("read the kernel's version: %w", err))
	}
	nodes, err := countList("/sys/devices/system/node/online")
	if err != nil {
		nodes = 1 // a kernel without NUMA has no such file
	}
	cpus, err := countList("/sys/devices/system/cpu/online")
	if err != nil {
		cpus = runtime.NumCPU()
	}
	used, err := cpuTime()
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	resident, err := residentBytes()
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	accounting, err := s.Ingest.Accounting()
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, fmt.Errorf("account for hits: %w", err))
	}
	answer := &gothermpb.GetAgentResponse{
		Version:       s.Version,
		Hostname:      unix.ByteSliceToString(kernel.Nodename[:]),
		Kernel:        unix.ByteSliceToString(kernel.Release[:]),
		Architecture:  runtime.GOARCH,
		NumaNodes:     uint32(nodes),
		Cpus:          uint32(cpus),
		Started:       timestamppb.New(s.started),
		CpuTime:       durationpb.New(used),
		ResidentBytes: resident,
		HistoryStart:  timestamppb.New(s.historyStart()),
		Watching:      watchingCost(s.Pacer.Overall()),
		RunCost:       runCost(s.Pacer.Costs()),
	}
	for _, p := range s.Watcher.Processes() {
		for _, pt := range p.Points {
			if pt.State == probe.Shed {
				answer.PointsShed++
			}
		}
		if describe(p).Refused != "" {
			answer.ProcessesRefused++
		} else {
			answer.ProcessesWatched++
		}
	}
	for _, a := range accounting {
		answer.Accounting = append(answer.Accounting, &gothermpb.Accounting{
			Pom: a.POM, Hits: a.Hits, Carried: a.Carried, Counted: a.Counted, Coarse: a.Coarse,
		})
	}
	return connect.NewResponse(answer), nil
}

// countList counts the numbers of a kernel's list, such as "0-3,8".
func countList(file string) (n int, err error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for part := range strings.SplitSeq(strings.TrimSpace(string(content)), ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err := strconv.Atoi(low)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		to, err := strconv.Atoi(high)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		n += to - from + 1
	}
	return n, nil
}

// cpuTime is what the agent has used of all CPUs.
func cpuTime() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read own CPU time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// residentBytes is the memory that the agent holds.
func residentBytes() (uint64, error) {
	content, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("read own memory: %w", err)
	}
	var size, resident uint64
	if _, err := fmt.Sscan(string(content), &size, &resident); err != nil {
		return 0, fmt.Errorf("read own memory: /proc/self/statm: %w", err)
	}
	return resident * uint64(os.Getpagesize()), nil
}
