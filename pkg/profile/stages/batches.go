package stages

import "fmt"

// What batches of a trace begin with. (src/internal/trace/tracev2/events.go)
const (
	eventBatch        = 1
	stacksBatch       = 2
	stringsBatch      = 4
	cpuSamplesBatch   = 6
	experimentalBatch = 49
	endOfGeneration   = 52
	// inHeader is none of them.
	inHeader = 0xff
)

// batches counts what there is of a generation before the trace's reader makes
// more of it: a batch of one byte is more than a thousand in memory, and a CPU
// sample of six is a hundred. A trace is a header, and then batches:
//
//	eventBatch generation thread time size data…
//	experimentalBatch experiment generation thread time size data…
//	endOfGeneration
//
// It is given all bytes in order, as they come. What is no trace is left to the
// trace's reader, which stops there.
type batches struct {
	limits Limits
	// skip is how many bytes there are yet of the header, or of a batch.
	skip  uint64
	kind  byte // of the batch, 0 where its data has not begun
	field int  // of the batch's header, the first is 1; 0 outside
	value uint64
	shift int
	ended bool // what follows is no trace

	generation      uint64
	count           int
	tables, samples int64 // bytes
}

// The fields of a batch's header.
const (
	experimentField = 1 + iota
	generationField
	threadField
	timeField
	sizeField
)

func (b *batches) see(p []byte) error {
	for len(p) > 0 && !b.ended {
		if b.skip > 0 {
			n := min(b.skip, uint64(len(p)))
			if b.kind == 0 {
				b.kind = p[0]
			}
			if err := b.data(int64(n)); err != nil {
				return err
			}
			p = p[n:]
			b.skip -= n
			continue
		}
		c := p[0]
		p = p[1:]
		switch b.field {
		case 0:
			switch c {
			case eventBatch:
				b.field = generationField
			case experimentalBatch:
				b.field = experimentField
			case endOfGeneration:
			default:
				b.ended = true
			}
		case experimentField: // one byte
			b.field = generationField
		default:
			b.value |= uint64(c&0x7f) << b.shift
			b.shift += 7
			if c < 0x80 {
				if err := b.known(); err != nil {
					return err
				}
			} else if b.shift > 63 {
				b.ended = true
			}
		}
	}
	return nil
}

// known is when a field of a header has been read.
func (b *batches) known() error {
	v := b.value
	b.value, b.shift = 0, 0
	switch b.field {
	case generationField:
		if v != b.generation {
			b.generation, b.count, b.tables, b.samples = v, 0, 0, 0
		}
	case sizeField:
		b.field, b.skip, b.kind = 0, v, 0
		if b.count++; b.count > b.limits.Batches {
			return fmt.Errorf("generation %d has more batches than the limit of %d", b.generation, b.limits.Batches)
		}
		return nil
	}
	b.field++
	return nil
}

// data is when n more bytes of a batch have been read.
func (b *batches) data(n int64) error {
	switch b.kind {
	case stacksBatch, stringsBatch:
		if b.tables += n; b.tables > b.limits.Tables {
			return fmt.Errorf("the stacks and strings of generation %d are longer than the limit of %d bytes", b.generation, b.limits.Tables)
		}
	case cpuSamplesBatch:
		if b.samples += n; b.samples > b.limits.Samples {
			return fmt.Errorf("the CPU samples of generation %d are longer than the limit of %d bytes", b.generation, b.limits.Samples)
		}
	}
	return nil
}
