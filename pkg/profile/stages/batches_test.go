package stages

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
)

// bomb is a trace of so many batches.
func bomb(n int, data func(i int) []byte) []byte {
	b := bytes.NewBufferString("go 1.22 trace\x00\x00\x00")
	for i := range n {
		content := data(i)
		header := []byte{eventBatch}
		for _, field := range []uint64{1, 1, 1, uint64(len(content))} {
			header = binary.AppendUvarint(header, field)
		}
		b.Write(header)
		b.Write(content)
	}
	return b.Bytes()
}

// TestATraceThatIsABombCostsLittle reads traces of which the reader would make
// gigabytes: what is allocated before they are refused is bounded.
func TestATraceThatIsABombCostsLittle(t *testing.T) {
	limits := DefaultLimits()
	limits.Batches, limits.Tables, limits.Samples = 10_000, 1<<20, 1<<20
	for name, c := range map[string]struct {
		trace     []byte
		says      string
		megabytes uint64
	}{
		"batches of a byte": {
			bomb(200_000, func(int) []byte { return []byte{10} }), "generation 1 has more batches than the limit of 10000", 25,
		},
		"CPU samples": {
			bomb(40, func(int) []byte {
				return append([]byte{cpuSamplesBatch}, bytes.Repeat([]byte{7, 1, 1, 1, 1, 0}, 10_000)...)
			}),
			"the CPU samples of generation 1 are longer than the limit of 1048576 bytes", 75,
		},
		"strings": {
			bomb(100, func(i int) []byte {
				content := []byte{stringsBatch}
				for id := range 10_000 {
					content = append(binary.AppendUvarint(append(content, 5), uint64(1+i*10_000+id)), 0)
				}
				return content
			}),
			"the stacks and strings of generation 1 are longer than the limit of 1048576 bytes", 75,
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Fuse(bytes.NewReader(c.trace), limits)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error is %v, want it to say %q", name, err, c.says)
		}
		cost := (after.TotalAlloc - before.TotalAlloc) >> 20
		t.Logf("%s: %d bytes of trace, %d MiB allocated", name, len(c.trace), cost)
		if cost > c.megabytes {
			t.Errorf("%s: %d MiB allocated, at most %d", name, cost, c.megabytes)
		}
	}
}

// However a trace is cut into pieces, it has the same batches.
func TestBatchesAreCountedInAnyPieces(t *testing.T) {
	for i, recorded := range releases(t) {
		whole := batches{limits: DefaultLimits(), skip: headerLength, kind: inHeader}
		if err := whole.see(recorded); err != nil {
			t.Fatal(err)
		}
		if whole.ended || whole.skip > 0 || whole.field > 0 || whole.count < 3 || whole.tables < 100 {
			t.Errorf("of Go 1.%d is counted %+v", oldest+i, whole)
		}
		for size := 1; size < 20; size++ {
			pieces := batches{limits: DefaultLimits(), skip: headerLength, kind: inHeader}
			for rest := recorded; len(rest) > 0; {
				n := min(size, len(rest))
				if err := pieces.see(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if pieces != whole {
				t.Errorf("in pieces of %d is counted %+v, as a whole %+v", size, pieces, whole)
			}
		}
	}
}
