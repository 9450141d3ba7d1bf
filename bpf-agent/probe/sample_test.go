package probe

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/link"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
)

func TestCPUsAreReadAsTheKernelListsThem(t *testing.T) {
	for list, want := range map[string][]int{
		"0\n":       {0},
		"0-1\n":     {0, 1},
		"0-2,5,7-8": {0, 1, 2, 5, 7, 8},
	} {
		if got, err := parseCPUs(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %v, error %v, must be %v", list, got, err, want)
		}
	}
	for _, list := range []string{"", "x", "1-", "3-1", "0-4294967295", "1,,2"} {
		if got, err := parseCPUs(list); err == nil || !strings.Contains(err.Error(), list) {
			t.Errorf("%q is %v, error %v, must be refused and named", list, got, err)
		}
	}
}

// What the kernel does when a CPU goes is not tried here, for all that runs on
// this machine would suffer. The sampler is told that CPUs have come and gone.
func TestSamplerFollowsTheCPUs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("loading programs into the kernel needs root")
	}
	k, err := Load(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	cpus, err := online()
	if err != nil {
		t.Fatal(err)
	}
	s := &sampler{program: k.collection.Programs[bpf.KernelProgOncpu], rate: DefaultSampleRate, links: map[int]link.Link{}}
	for _, now := range [][]int{cpus[:1], cpus, cpus[len(cpus)-1:], cpus, nil} {
		if err := s.follow(now); err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(s.links)); !slices.Equal(got, now) {
			t.Errorf("CPUs %v are sampled, online are %v", got, now)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
