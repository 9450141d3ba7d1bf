package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// resident is what a process has had of resident memory over time, in bytes.
type resident struct {
	// anon is its own; file is of its executable and of the ring, which is mapped
	// twice in a row and counts twice; sum is both, RSS.
	sum, anon, file []int
}

// residentEvery is how often it is looked at.
const residentEvery = time.Second

// observeMemory watches the memory of a process until the result is called.
func observeMemory(t testing.TB, pid int) (stop func() *resident) {
	r, end, done := &resident{}, make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(residentEvery)
		defer tick.Stop()
		for {
			status, err := statusOf(pid, "VmRSS", "RssAnon", "RssFile")
			if err != nil {
				done <- err
				return
			}
			r.sum, r.anon, r.file = append(r.sum, status[0]), append(r.anon, status[1]), append(r.file, status[2])
			select {
			case <-end:
				done <- nil
				return
			case <-tick.C:
			}
		}
	}()
	return func() *resident {
		close(end)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// statusOf reads sizes of /proc/PID/status, in bytes.
func statusOf(pid int, names ...string) (sizes []int, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		_, rest, _ := strings.Cut(string(status), name+":")
		kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n, err := strconv.Atoi(kib)
		if err != nil {
			return nil, fmt.Errorf("%s of process %d is %q: %w", name, pid, kib, err)
		}
		sizes = append(sizes, n<<10)
	}
	return sizes, nil
}

func (r *resident) peak() int { return greatest(r.sum) }

// growth is the greatest of the last third over the greatest of the second.
func (r *resident) growth() float64 {
	n := len(r.sum) / 3
	return float64(greatest(r.sum[2*n:])) / float64(greatest(r.sum[n:2*n]))
}

// report prints how it went, in ten steps.
func (r *resident) report(name string) {
	fmt.Printf("%s_rss_growth_ratio %.3f\n%s_rss_mib_peak %d\n", name, r.growth(), name, r.peak()>>20)
	for i := 1; i <= 10; i++ {
		from, to := len(r.sum)*(i-1)/10, len(r.sum)*i/10
		if from == to {
			continue
		}
		fmt.Printf("%[1]s_rss_mib_%[2]d %[3]d\n%[1]s_rss_anon_mib_%[2]d %[4]d\n%[1]s_rss_file_mib_%[2]d %[5]d\n", name, i*10,
			greatest(r.sum[from:to])>>20, greatest(r.anon[from:to])>>20, greatest(r.file[from:to])>>20)
	}
}

func greatest(of []int) (most int) {
	for _, n := range of {
		most = max(most, n)
	}
	return most
}

// mapMemory is what the kernel says that all maps take that a process holds, in bytes.
func mapMemory(t testing.TB, pid int) (sum int) {
	t.Helper()
	infos, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, path := range infos {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // closed meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		field := func(name string) string {
			_, rest, _ := strings.Cut(string(text), name+":")
			value, _, _ := strings.Cut(rest, "\n")
			return strings.TrimSpace(value)
		}
		id := field("map_id")
		if id == "" || seen[id] {
			continue
		}
		seen[id] = true
		n, err := strconv.Atoi(field("memlock"))
		if err != nil {
			t.Fatalf("memlock of map %s: %v", id, err)
		}
		sum += n
	}
	if sum == 0 {
		t.Fatalf("process %d holds no maps", pid)
	}
	return sum
}
