// Package profile reads pprof profiles and says what is in them: as a flame
// graph, as a table of functions, over time, and as the difference of two. It
// is pure but for fetch.go, which speaks HTTP.
//
// github.com/google/pprof/profile parses; this package sees to it that what a
// stranger sends stays within limits, and does the arithmetic of the reports,
// which equals that of go tool pprof.
package profile

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"

	pprof "github.com/google/pprof/profile"
	"google.golang.org/protobuf/encoding/protowire"
)

// Limits hold what reading a profile may cost. A message of two bytes becomes
// some hundred in memory, so everything that is repeated is counted before it is parsed.
type Limits struct {
	// Packed and Unpacked are bytes, before and after gzip.
	Packed, Unpacked int
	Samples          int
	// Entries are of each table: locations, functions, mappings, strings.
	Entries int
	// Labels, Lines and Addresses are of all samples and locations together.
	// Lines are more than locations where functions are inlined.
	Labels, Lines, Addresses int
	// Text is how many bytes one string may have.
	Text int
	// Depth is how many frames one stack may have, inlined ones among them, and Frames all stacks together.
	Depth, Frames int
	// SampleTypes are the values that each sample has.
	SampleTypes int
	// Signed says that values may be negative, as those of a difference are.
	Signed bool
}

// Usual are limits that no profile of a Go program has been seen to reach; one
// that reaches all of them takes about half a GiB to read.
var Usual = Limits{
	Packed: 32 << 20, Unpacked: 128 << 20,
	Samples: 250_000, Entries: 500_000, Labels: 1_000_000, Lines: 1_000_000, Addresses: 16_000_000,
	Text: 64 << 10, Depth: 10_000, Frames: 32_000_000, SampleTypes: 32,
}

// Parse reads a profile in the format of profile.proto, with or without gzip.
// The text formats of before are refused. An error names the limit.
func Parse(r io.Reader, limits Limits) (*pprof.Profile, error) {
	data, err := unpack(r, limits)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("read profile: it is empty")
	}
	if err := count(data, limits); err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	p, err := pprof.ParseUncompressed(data)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	if err := p.CheckValid(); err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	if err := checkStacks(p, limits); err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	if err := checkValues(limits.Signed, p); err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	if err := dropFrames(p); err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	return p, nil
}

// atMost is the error for a count over its limit.
func atMost(what string, found, limit int) error {
	if found <= limit {
		return nil
	}
	return fmt.Errorf("%s: %d found, at most %d", what, found, limit)
}

// unpack reads to the end, or to the limit.
func unpack(r io.Reader, limits Limits) ([]byte, error) {
	packed, err := io.ReadAll(io.LimitReader(r, int64(limits.Packed)+1))
	if err != nil {
		return nil, err
	}
	if len(packed) > limits.Packed {
		return nil, fmt.Errorf("more than %d bytes, the most there may be", limits.Packed)
	}
	if !bytes.HasPrefix(packed, []byte{0x1f, 0x8b}) {
		return packed, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(z, int64(limits.Unpacked)+1))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	if len(data) > limits.Unpacked {
		return nil, fmt.Errorf("unpack: %d bytes become more than %d, the most there may be", len(packed), limits.Unpacked)
	}
	return data, nil
}

// census is how many there are of all that is repeated in a profile.
type census struct {
	sampleTypes, samples, mappings, locations, functions, strings int
	addresses, labels, lines, comments                            int
}

func (c census) check(l Limits) error {
	for _, one := range []struct {
		what         string
		found, limit int
	}{
		{"sample types", c.sampleTypes, l.SampleTypes}, {"samples", c.samples, l.Samples},
		{"mappings", c.mappings, l.Entries}, {"locations", c.locations, l.Entries}, {"functions", c.functions, l.Entries},
		{"strings", c.strings, l.Entries}, {"comments", c.comments, l.Entries},
		{"addresses in stacks", c.addresses, l.Addresses}, {"labels", c.labels, l.Labels}, {"lines", c.lines, l.Lines},
	} {
		if err := atMost(one.what, one.found, one.limit); err != nil {
			return err
		}
	}
	return nil
}

// count holds a profile to the limits before it is parsed. Numbers are those of profile.proto.
func count(data []byte, limits Limits) error {
	var c census
	return each(data, func(number protowire.Number, body []byte) error {
		switch number {
		case 1:
			c.sampleTypes++
		case 2:
			c.samples++
			if err := c.countSample(body, limits); err != nil {
				return fmt.Errorf("sample %d: %w", c.samples, err)
			}
		case 3:
			c.mappings++
		case 4:
			c.locations++
			err := each(body, func(number protowire.Number, _ []byte) error {
				if number == 4 {
					c.lines++
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("location %d: %w", c.locations, err)
			}
		case 5:
			c.functions++
		case 6:
			c.strings++
			if len(body) > limits.Text {
				return fmt.Errorf("string %d has %d bytes, at most %d", c.strings, len(body), limits.Text)
			}
		case 13:
			c.comments += numbers(body)
		}
		return c.check(limits)
	})
}

func (c *census) countSample(sample []byte, limits Limits) error {
	values, depth := 0, 0
	err := each(sample, func(number protowire.Number, body []byte) error {
		switch number {
		case 1:
			depth += numbers(body)
		case 2:
			values += numbers(body)
		case 3:
			c.labels++
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.addresses += depth
	if err := atMost("addresses in its stack", depth, limits.Depth); err != nil {
		return err
	}
	return atMost("values", values, limits.SampleTypes)
}

// numbers is how many a field holds: one that is not packed has no body, and is one.
func numbers(body []byte) int {
	if body == nil {
		return 1
	}
	n := 0
	for _, b := range body {
		if b < 0x80 {
			n++
		}
	}
	return n
}

// each walks over the fields of a message. The body is nil of one that is a
// number. It goes no deeper, so nothing in it can be nested too deep.
func each(data []byte, see func(number protowire.Number, body []byte) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return fmt.Errorf("not a profile, or a torn one: %w", protowire.ParseError(n))
		}
		data = data[n:]
		var body []byte
		switch kind {
		case protowire.BytesType:
			body, n = protowire.ConsumeBytes(data)
			if body == nil {
				body = []byte{}
			}
		case protowire.VarintType:
			_, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			_, n = protowire.ConsumeFixed32(data)
		case protowire.Fixed64Type:
			_, n = protowire.ConsumeFixed64(data)
		default:
			return fmt.Errorf("not a profile: field %d has type %d, which profiles never have", number, kind)
		}
		if n < 0 {
			return fmt.Errorf("not a profile, or a torn one: field %d: %w", number, protowire.ParseError(n))
		}
		if err := see(number, body); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// checkStacks holds stacks to the limits once inlined frames are known: a
// location may be in many stacks, and have many lines.
func checkStacks(p *pprof.Profile, limits Limits) error {
	all := 0
	for i, s := range p.Sample {
		depth := 0
		for _, l := range s.Location {
			depth += max(len(l.Line), 1)
		}
		if err := atMost("frames", depth, limits.Depth); err != nil {
			return fmt.Errorf("sample %d: %w", i+1, err)
		}
		all += depth
		if err := atMost("frames in stacks", all, limits.Frames); err != nil {
			return err
		}
	}
	return nil
}

// checkValues refuses what can't have been counted, and what can't be added up:
// the values of all profiles together, which have the same sample types.
func checkValues(signed bool, profiles ...*pprof.Profile) error {
	for t, about := range profiles[0].SampleType {
		var sum int64
		for _, p := range profiles {
			for i, s := range p.Sample {
				v := s.Value[t]
				if v < 0 && !signed {
					return fmt.Errorf("sample %d has %d of %s (%s): only a difference has less than none", i+1, v, about.Type, about.Unit)
				}
				// The least int64 stays negative.
				if v = abs(v); v < 0 || sum > math.MaxInt64-v {
					return fmt.Errorf("the values of %s (%s) add up to more than 2^63", about.Type, about.Unit)
				}
				sum += v
			}
		}
	}
	return nil
}
