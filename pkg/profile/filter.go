package profile

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	pprof "github.com/google/pprof/profile"
)

const (
	// maxPattern is how many bytes a regular expression may have.
	maxPattern = 1000
	// maxSteps is how many steps it may be. Each letter it is held against may
	// take as many, and "x{1000}{1000}" has as many in a few bytes.
	maxSteps = 2 * maxPattern
)

// Filter says which samples to keep. All that is set must hold.
type Filter struct {
	// function is held against the names of functions, files and binaries in a stack, as go tool pprof -focus is.
	function *regexp.Regexp
	key      string
	value    *regexp.Regexp
}

// NewFilter makes a filter of a regular expression for functions and of a label
// as "key=value", whose value is a regular expression too. Empty is no filter.
func NewFilter(function, label string) (Filter, error) {
	var f Filter
	var err error
	if f.function, err = pattern("function", function); err != nil || label == "" {
		return f, err
	}
	key, value, found := strings.Cut(label, "=")
	if !found || key == "" {
		return f, fmt.Errorf("label is %q, must be key=value", label)
	}
	f.key = key
	f.value, err = pattern("label", "^(?:"+value+")$")
	return f, err
}

func pattern(field, text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	if _, err := stepsOf(text); err != nil {
		return nil, fmt.Errorf("%s %w", field, err)
	}
	return regexp.Compile(text)
}

// stepsOf is how many steps a regular expression is, within the limits.
func stepsOf(text string) (int, error) {
	if len(text) > maxPattern {
		return 0, fmt.Errorf("has %d bytes, at most %d", len(text), maxPattern)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, fmt.Errorf("is no regular expression: %w", err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, fmt.Errorf("is no regular expression: %w", err)
	}
	steps := len(program.Inst)
	if steps > maxSteps {
		return 0, fmt.Errorf("repeats too much: it has %d steps, at most %d", steps, maxSteps)
	}
	return steps, nil
}

// Keep returns the profile with the samples that the filter keeps; where it
// keeps all, the profile itself. The argument is not changed.
func (f Filter) Keep(p *pprof.Profile) *pprof.Profile {
	if f.function == nil && f.value == nil {
		return p
	}
	matches := map[*pprof.Location]bool{}
	if f.function != nil {
		for _, l := range p.Location {
			matches[l] = f.matches(l)
		}
	}
	// Tables are shared: nobody changes a profile that has been read.
	kept := &pprof.Profile{
		SampleType: p.SampleType, DefaultSampleType: p.DefaultSampleType,
		Mapping: p.Mapping, Location: p.Location, Function: p.Function, Comments: p.Comments, DocURL: p.DocURL,
		DropFrames: p.DropFrames, KeepFrames: p.KeepFrames,
		TimeNanos: p.TimeNanos, DurationNanos: p.DurationNanos, PeriodType: p.PeriodType, Period: p.Period,
	}
	for _, s := range p.Sample {
		if f.function != nil && !slices.ContainsFunc(s.Location, func(l *pprof.Location) bool { return matches[l] }) {
			continue
		}
		if f.value != nil && !slices.ContainsFunc(labelValues(s, f.key), f.value.MatchString) {
			continue
		}
		kept.Sample = append(kept.Sample, s)
	}
	return kept
}

func (f Filter) matches(l *pprof.Location) bool {
	for _, line := range l.Line {
		if line.Function != nil && (f.function.MatchString(line.Function.Name) || f.function.MatchString(line.Function.Filename)) {
			return true
		}
	}
	return l.Mapping != nil && f.function.MatchString(l.Mapping.File)
}

// labelValues returns the values that a sample has of a label, numbers as text.
func labelValues(s *pprof.Sample, key string) []string {
	values := s.Label[key]
	for _, n := range s.NumLabel[key] {
		values = append(slices.Clip(values), fmt.Sprint(n))
	}
	return values
}
