package profile

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	pprof "github.com/google/pprof/profile"
	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of profile.proto, which hostile profiles are made of.
const (
	fieldSampleType, fieldSample, fieldMapping, fieldLocation, fieldFunction, fieldString = 1, 2, 3, 4, 5, 6
	fieldDropFrames, fieldTime, fieldPeriod, fieldComment                                 = 7, 9, 12, 13
)

func message(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func body(number protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
}

func integer(number protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), uint64(v))
}

func packed(number protowire.Number, values ...int64) []byte {
	var all []byte
	for _, v := range values {
		all = protowire.AppendVarint(all, uint64(v))
	}
	return body(number, all)
}

// small is a profile of one sample type, functions f and g, and a location for each.
func small(more ...[]byte) []byte {
	return message(append([][]byte{
		body(fieldString, nil), body(fieldString, []byte("cpu")), body(fieldString, []byte("nanoseconds")), body(fieldString, []byte("f")), body(fieldString, []byte("g")),
		body(fieldSampleType, message(integer(1, 1), integer(2, 2))),
		body(fieldFunction, message(integer(1, 1), integer(2, 3))), body(fieldFunction, message(integer(1, 2), integer(2, 4))),
		body(fieldLocation, message(integer(1, 1), body(4, integer(1, 1)))), body(fieldLocation, message(integer(1, 2), body(4, integer(1, 2)))),
	}, more...)...)
}

// dropping is small with functions of more names, and a pattern for what to drop.
func dropping(pattern string, functions ...string) []byte {
	more := [][]byte{body(fieldString, []byte(pattern)), integer(fieldDropFrames, 5)}
	for i, name := range functions {
		more = append(more, body(fieldString, []byte(name)), body(fieldFunction, message(integer(1, int64(i)+3), integer(2, int64(i)+6))))
	}
	return small(more...)
}

// longNames are of a thousand letters.
func longNames(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%01000d", i))
	}
	return all
}

func sample(value int64, stack ...int64) []byte {
	return body(fieldSample, message(packed(1, stack...), packed(2, value)))
}

func zipped(content []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(content)
	_ = z.Close()
	return b.Bytes()
}

// tight are limits that a few bytes are over.
var tight = Limits{
	Packed: 1 << 20, Unpacked: 4 << 20, Samples: 1000, Entries: 1000, Labels: 1000, Lines: 1000, Addresses: 10_000,
	Text: 1000, Depth: 100, Frames: 20_000, SampleTypes: 4,
}

// hostile profiles, each with what the error says.
func hostile() map[string]struct {
	profile []byte
	says    string
} {
	good := small(sample(5, 1, 2))
	return map[string]struct {
		profile []byte
		says    string
	}{
		"empty":                       {nil, "it is empty"},
		"text":                        {[]byte("heap profile: 1: 2 [3: 4] @ heap/1048576\n"), "not a profile"},
		"web page":                    {[]byte("<!doctype html><title>please log in</title>"), "not a profile"},
		"torn":                        {good[:len(good)-3], "torn"},
		"torn gzip":                   {zipped(good)[:40], "unpack"},
		"gzip with a wrong sum":       {append(zipped(good)[:len(zipped(good))-8], 0, 0, 0, 0, 0, 0, 0, 0), "unpack: gzip: invalid checksum"},
		"gzip bomb":                   {zipped(make([]byte, 64<<20)), "become more than 4194304"},
		"gzip in gzip":                {zipped(zipped(good)), "not a profile"},
		"larger than there may be":    {bytes.Repeat([]byte{0}, 1<<20+1), "more than 1048576 bytes"},
		"length beyond its end":       {append(small(), 0x12, 0xff, 0xff, 0xff, 0xff, 0x0f), "torn"},
		"number that never ends":      {append(small(), 0x48, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "torn"},
		"groups in groups":            {bytes.Repeat([]byte{0x13}, 1000), "which profiles never have"},
		"samples by the million":      {small(bytes.Repeat([]byte{0x12, 0}, 300_000)), "samples: 1001 found, at most 1000"},
		"locations by the million":    {small(bytes.Repeat([]byte{0x22, 0}, 300_000)), "locations: 1001 found, at most 1000"},
		"functions by the million":    {small(bytes.Repeat([]byte{0x2a, 0}, 300_000)), "functions: 1001 found, at most 1000"},
		"mappings by the million":     {small(bytes.Repeat([]byte{0x1a, 0}, 300_000)), "mappings: 1001 found, at most 1000"},
		"strings by the million":      {small(bytes.Repeat([]byte{0x32, 0}, 300_000)), "strings: 1001 found, at most 1000"},
		"comments by the million":     {small(body(fieldComment, make([]byte, 300_000))), "comments: 300000 found, at most 1000"},
		"sample types":                {bytes.Repeat([]byte{0x0a, 0}, 300_000), "sample types: 5 found, at most 4"},
		"labels by the million":       {small(body(fieldSample, bytes.Repeat([]byte{0x1a, 0}, 300_000))), "labels: 300000 found, at most 1000"},
		"values by the million":       {small(body(fieldSample, body(2, make([]byte, 300_000)))), "values: 300000 found, at most 4"},
		"lines by the million":        {small(body(fieldLocation, bytes.Repeat([]byte{0x22, 0}, 300_000))), "lines: 300002 found, at most 1000"},
		"a stack without an end":      {small(sample(1, make([]int64, 300_000)...)), "addresses in its stack: 300000 found, at most 100"},
		"a string without an end":     {small(body(fieldString, make([]byte, 300_000))), "string 6 has 300000 bytes, at most 1000"},
		"inlined without an end":      {small(body(fieldLocation, message(integer(1, 3), bytes.Repeat(body(4, integer(1, 1)), 90))), sample(1, 3, 3)), "frames: 180 found, at most 100"},
		"many stacks of much inlined": {small(body(fieldLocation, message(integer(1, 3), bytes.Repeat(body(4, integer(1, 1)), 90))), bytes.Repeat(sample(1, 3), 900)), "frames in stacks: 20070 found, at most 20000"},
		"less than none":              {small(sample(5, 1), sample(-5, 2)), "sample 2 has -5 of cpu (nanoseconds)"},
		"more than can be added up":   {small(sample(math.MaxInt64, 1), sample(1, 2)), "add up to more than 2^63"},
		"a string that is not there":  {small(body(fieldFunction, message(integer(1, 3), integer(2, 4000)))), "malformed"},
		"a string before the first":   {small(body(fieldFunction, message(integer(1, 3), integer(2, -1)))), "malformed"},
		"a first string that is text": {message(body(fieldString, []byte("first"))), "string_table[0]"},
		"a location that is not":      {small(sample(5, 7)), "nil location"},
		"a function that is not":      {small(body(fieldLocation, message(integer(1, 3), body(4, integer(1, 9))))), "nil function"},
		"a location twice":            {small(body(fieldLocation, integer(1, 1))), "multiple locations with same id"},
		"a location without id":       {small(body(fieldLocation, nil)), "reserved id"},
		"no sample type":              {message(body(fieldString, nil), body(fieldSample, nil)), "missing sample type"},
		"two values of one type":      {small(body(fieldSample, packed(2, 1, 2))), "mismatch"},
		"two profiles in one":         {message(small(integer(fieldTime, 1)), small(integer(fieldTime, 2))), "concatenated"},
		"a pattern that is none":      {small(body(fieldString, []byte("(")), integer(fieldDropFrames, 5)), "drop_frames"},
		"a pattern of a million":      {dropping(".*(.{1000}){1000}", "f"), "drop_frames is no regular expression: error parsing regexp: invalid repeat count"},
		"a pattern of ten thousand":   {dropping(".*"+strings.Repeat(".{1000}", 10), "f"), "drop_frames repeats too much: it has 10004 steps, at most 2000"},
		"a pattern for long names":    {dropping(".*.{1000}", longNames(600)...), "drop_frames and keep_frames take 604"},
		"period of the wrong type":    {small(body(fieldPeriod, nil)), "type mismatch"},
		"mapping that is not":         {small(body(fieldMapping, message(integer(1, 0)))), "reserved ID=0"},
	}
}

func TestAHostileProfileIsAnErrorThatSaysWhy(t *testing.T) {
	for name, c := range hostile() {
		p, err := Parse(bytes.NewReader(c.profile), tight)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: read as %v, error %v; want it to say %q", name, p, err, c.says)
		}
	}
}

// TestWhatIsRefusedCostsLittle reads bombs within the usual limits: what is
// allocated before they are refused is bounded by those, and not by what they claim.
func TestWhatIsRefusedCostsLittle(t *testing.T) {
	most := func(name string, megabytes uint64, bomb []byte, says string) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Parse(bytes.NewReader(bomb), Usual)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error is %v, want it to say %q", name, err, says)
		}
		if cost := (after.TotalAlloc - before.TotalAlloc) >> 20; cost > megabytes {
			t.Errorf("%s: %d MiB allocated, at most %d", name, cost, megabytes)
		}
	}
	// A growing buffer is allocated some four times over.
	most("256 MiB of nothing in 256 KiB", 700, zipped(make([]byte, 256<<20)), "become more than 134217728")
	most("eight million samples in 8 KiB", 150, zipped(small(bytes.Repeat([]byte{0x12, 0}, 8<<20))), "samples: 250001 found")
	most("eight million labels", 150, zipped(small(body(fieldSample, bytes.Repeat([]byte{0x1a, 0}, 8<<20)))), "labels: 8388608 found")
}

func TestRecursionCountsOnce(t *testing.T) {
	p, err := Parse(bytes.NewReader(small(sample(5, 1, 2, 1, 2, 1), sample(7, 2))), Usual)
	if err != nil {
		t.Fatal(err)
	}
	cpu, err := TypeOf(p, "")
	if err != nil {
		t.Fatal(err)
	}
	top := TopOf(p, cpu)
	want := []Function{{"g", 7, 12}, {"f", 5, 5}}
	if top.Total != 12 || len(top.Functions) != 2 || top.Functions[0] != want[0] || top.Functions[1] != want[1] {
		t.Errorf("the table is %+v, want %v", top, want)
	}
	flame := FlameOf(p, cpu)
	var levels []int32
	for _, n := range flame.Nodes {
		levels = append(levels, n.Level)
	}
	if want := []int32{0, 1, 2, 3, 4, 5, 1}; !slices.Equal(levels, want) {
		t.Errorf("levels are %v, want %v", levels, want)
	}
}

// Floating point would be off by one.
func TestWhatIsTakenAwayIsExact(t *testing.T) {
	p, err := Parse(bytes.NewReader(small(sample(1<<60+1, 1))), Usual)
	if err != nil {
		t.Fatal(err)
	}
	for name, less := range map[string]func(_, _ *pprof.Profile) (*pprof.Profile, error){"Diff": Diff, "Delta": Delta} {
		nothing, err := less(p, p)
		if err != nil {
			t.Fatal(err)
		}
		if top := TopOf(nothing, Type{0, "cpu", "nanoseconds"}); len(top.Functions) > 0 && top.Functions[0].Flat != 0 {
			t.Errorf("%s of a profile and itself has %+v", name, top.Functions)
		}
	}
}

// FuzzParse reads anything: it is refused, or it is within the limits and every
// report of it adds up to it.
func FuzzParse(f *testing.F) {
	for _, c := range hostile() {
		if len(c.profile) < 1<<12 {
			f.Add(c.profile)
		}
	}
	f.Add(small(sample(5, 1, 2), sample(7, 2)))
	for _, path := range compilers(f)[1:] {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	signed := tight
	signed.Signed = true
	f.Fuzz(func(t *testing.T, content []byte) {
		p, err := Parse(bytes.NewReader(content), signed)
		if err != nil {
			return
		}
		if len(p.Sample) > tight.Samples || len(p.Location) > tight.Entries {
			t.Fatalf("%d samples and %d locations are over the limits", len(p.Sample), len(p.Location))
		}
		for i, about := range p.SampleType {
			checkReports(t, p, Type{i, about.Type, about.Unit})
		}
		if difference, err := Diff(p, p); err == nil {
			for i, about := range difference.SampleType {
				for _, f := range TopOf(difference, Type{i, about.Type, about.Unit}).Functions {
					t.Fatalf("a profile less itself has %+v", f)
				}
			}
		}
	})
}

func checkReports(t *testing.T, p *pprof.Profile, about Type) {
	var sum, sized int64
	for _, s := range p.Sample {
		sum += s.Value[about.Index]
		sized += abs(s.Value[about.Index])
	}
	flame := FlameOf(p, about)
	for _, most := range []int{len(flame.Nodes), 10, 1} {
		folded, _ := flame.Fold(most)
		checkFlame(t, folded, sum, sized)
	}
	var flat int64
	for _, f := range TopOf(p, about).Functions {
		flat += f.Flat
	}
	for _, s := range p.Sample {
		if len(s.Location) == 0 {
			flat += s.Value[about.Index]
		}
	}
	if flat != sum {
		t.Fatalf("functions have %d of %d", flat, sum)
	}
	heat, err := HeatOf([]Slice{{Parts: []Part{{p, 1}}}, {Parts: []Part{{p, 0.5}, {p, 0.25}}}}, ByFunction, about.Name, 3)
	if err != nil || heat.Type != about {
		return // a name that two types have, or that is none
	}
	var columns [2]float64
	for _, row := range heat.Values {
		columns[0] += row[0]
		columns[1] += row[1]
	}
	// Fractions of great numbers are added up: they are not as exact as those.
	slack := float64(sized) * 1e-12
	if math.Abs(columns[0]-float64(sum)) > slack || math.Abs(columns[1]-0.75*float64(sum)) > slack || len(heat.Rows) > 3 {
		t.Fatalf("the heat has %v of %d, and of three quarters of it, in %d rows", columns, sum, len(heat.Rows))
	}
}

// checkFlame says whether a flame is a nested set that adds up: each bar has what is its own and what those right below it have.
func checkFlame(t *testing.T, f Flame, sum, sized int64) {
	t.Helper()
	if root := f.Nodes[0]; root.Level != 0 || root.Right-root.Left != sum || root.Right+root.Left != sized {
		t.Fatalf("the root is %+v of %d, %d without signs", root, sum, sized)
	}
	var above []FlameNode
	for i, n := range f.Nodes {
		if i > 0 && (n.Level < 1 || int(n.Level) > len(above)) {
			t.Fatalf("bar %d is on level %d, the one before on %d", i, n.Level, len(above)-1)
		}
		for len(above) > int(n.Level) {
			last := above[len(above)-1]
			if last.Left != last.SelfLeft || last.Right != last.SelfRight {
				t.Fatalf("what is in %+v does not add up", last)
			}
			above = above[:len(above)-1]
		}
		if len(above) > 0 {
			above[len(above)-1].Left -= n.Left
			above[len(above)-1].Right -= n.Right
		}
		above = append(above, n)
	}
}
