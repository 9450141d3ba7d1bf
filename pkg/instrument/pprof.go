package instrument

import (
	"compress/gzip"
	"fmt"
	"io"
	"strings"
)

// Write encodes a profile in pprof's format, compressed.
// (https://github.com/google/pprof/blob/main/proto/profile.proto)
func (p *Profile) Write(w io.Writer) error {
	encoded, err := p.encode()
	if err != nil {
		return fmt.Errorf("encode profile: %w", err)
	}
	z := gzip.NewWriter(w)
	if _, err := z.Write(encoded); err != nil {
		return fmt.Errorf("write profile: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write profile: %w", err)
	}
	return nil
}

// encode lays a profile out: samples refer to locations, those to functions, and
// all of them to a table of strings.
func (p *Profile) encode() ([]byte, error) {
	e := encoder{
		strings:   table[string]{ids: map[string]uint64{"": 0}, all: []string{""}},
		locations: table[Frame]{ids: map[Frame]uint64{}},
		functions: table[function]{ids: map[function]uint64{}},
	}
	for _, t := range p.Types {
		e.message(1, e.valueType(t))
	}
	for i, s := range p.Samples {
		if len(s.Values) != len(p.Types) {
			return nil, fmt.Errorf("sample %d has %d values, must be %d, one for each type", i, len(s.Values), len(p.Types))
		}
		e.message(2, e.sample(s))
	}
	// Locations begin with 1, and so do functions: 0 is none.
	for i, l := range e.locations.all {
		var line, m fields
		line.number(1, e.functions.id(function{l.Function, l.File})+1)
		line.number(2, uint64(l.Line))
		m.number(1, uint64(i)+1)
		m.message(4, line)
		e.message(4, m)
	}
	for i, f := range e.functions.all {
		var m fields
		m.number(1, uint64(i)+1)
		m.number(2, e.strings.id(f.name))
		m.number(3, e.strings.id(f.name))
		m.number(4, e.strings.id(f.file))
		e.message(5, m)
	}
	for _, s := range e.strings.all {
		e.message(6, fields(strings.ToValidUTF8(s, "\uFFFD")))
	}
	if !p.Time.IsZero() {
		e.number(9, uint64(p.Time.UnixNano()))
	}
	e.number(10, uint64(p.Duration))
	return e.fields, nil
}

type encoder struct {
	fields
	strings   table[string]
	locations table[Frame]
	functions table[function]
}

type function struct{ name, file string }

func (e *encoder) valueType(t ValueType) (m fields) {
	m.number(1, e.strings.id(t.Type))
	m.number(2, e.strings.id(t.Unit))
	return m
}

func (e *encoder) sample(s Sample) (m fields) {
	locations := make([]uint64, len(s.Stack))
	for i, f := range s.Stack {
		locations[i] = e.locations.id(f) + 1
	}
	values := make([]uint64, len(s.Values))
	for i, v := range s.Values {
		values[i] = uint64(v)
	}
	m.packed(1, locations)
	m.packed(2, values)
	for _, l := range s.Labels {
		var label fields
		label.number(1, e.strings.id(l.Key))
		if l.Text != "" {
			label.number(2, e.strings.id(l.Text))
		} else {
			label.number(3, uint64(l.Number))
			label.number(4, e.strings.id(l.Unit))
		}
		m.message(3, label)
	}
	return m
}

// table numbers what is different, from 0.
type table[T comparable] struct {
	ids map[T]uint64
	all []T
}

func (t *table[T]) id(of T) uint64 {
	id, ok := t.ids[of]
	if !ok {
		id = uint64(len(t.all))
		t.ids[of] = id
		t.all = append(t.all, of)
	}
	return id
}

// fields is a message of protocol buffers: numbers are varints, in two's
// complement, and messages have their length before them.
// (https://protobuf.dev/programming-guides/encoding/)
type fields []byte

const (
	wireVarint = 0
	wireLength = 2
)

func (f *fields) varint(v uint64) {
	for ; v >= 0x80; v >>= 7 {
		*f = append(*f, byte(v)|0x80)
	}
	*f = append(*f, byte(v))
}

// number appends a field; 0 is what a field is that is not there.
func (f *fields) number(field int, v uint64) {
	if v != 0 {
		f.varint(uint64(field)<<3 | wireVarint)
		f.varint(v)
	}
}

func (f *fields) message(field int, m fields) {
	f.varint(uint64(field)<<3 | wireLength)
	f.varint(uint64(len(m)))
	*f = append(*f, m...)
}

func (f *fields) packed(field int, values []uint64) {
	var all fields
	for _, v := range values {
		all.varint(v)
	}
	f.message(field, all)
}

// print writes a profile for people to read.
func (p *Profile) print(w io.Writer) {
	for _, t := range p.Types {
		fmt.Fprintf(w, "%s/%s ", t.Type, t.Unit)
	}
	fmt.Fprintln(w)
	for _, s := range p.Samples {
		fmt.Fprintln(w, strings.Trim(fmt.Sprint(s.Values), "[]"))
		for _, l := range s.Labels {
			if l.Text != "" {
				fmt.Fprintf(w, "    %s=%s\n", l.Key, l.Text)
			} else {
				fmt.Fprintf(w, "    %s=%d %s\n", l.Key, l.Number, l.Unit)
			}
		}
		for _, f := range s.Stack {
			if f.File == "" {
				fmt.Fprintf(w, "    %s\n", f.Function)
			} else {
				fmt.Fprintf(w, "    %s %s:%d\n", f.Function, f.File, f.Line)
			}
		}
	}
}
