package stages

import (
	"fmt"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
)

// account is of a stage.
type account struct {
	name string
	Usage
	goroutines uint64
	durations  heat.Histogram
	columns    []Usage
	partitions map[string]*partition
}

// partition is of one value of a stage's attributes.
type partition struct {
	name string
	Usage
	durations heat.Histogram
}

// scope is where what a goroutine uses is booked: to a stage, and perhaps a
// partition of it. Where it is not known yet, usage waits.
type scope struct {
	account    *account // nil when it is not known
	partition  *partition
	attributes string
	// became is what it turned out to be.
	became *scope
	waits  []waiting
}

// waiting is usage of a column, as wide as they were.
type waiting struct {
	column int
	width  time.Duration
	Usage
}

// known is the scope, or what became of it.
func (s *scope) known() *scope {
	for s.became != nil {
		s = s.became
	}
	return s
}

// books are all accounts.
type books struct {
	limits     Limits
	accounts   map[string]*account
	partitions int
	outside    *scope
	plain      map[string]*scope // of stages without attributes
	unknown    []*scope          // that have usage waiting
	waiting    int
	width      time.Duration
	columns    []Usage
}

// Columns are at first as wide as a sample stands for. When there are too many
// of them, they are joined two by two.
const (
	firstWidth = 10 * time.Millisecond
	maxColumns = 256
	// maxWaiting bounds what waits to be booked.
	maxWaiting = 1 << 20
)

func newBooks(limits Limits) *books {
	b := &books{limits: limits, accounts: map[string]*account{}, plain: map[string]*scope{}, width: firstWidth}
	b.outside = &scope{account: &account{name: Outside}}
	b.accounts[Outside] = b.outside.account
	b.plain[Outside] = b.outside
	return b
}

// stage is the scope of a stage, without attributes.
func (b *books) stage(name string) (*scope, error) {
	if s := b.plain[name]; s != nil {
		return s, nil
	}
	if len(b.accounts) > b.limits.Stages {
		return nil, fmt.Errorf("it has more stages than the limit of %d, another is %q: regions should have few names", b.limits.Stages, name)
	}
	s := &scope{account: &account{name: name, partitions: map[string]*partition{}}}
	b.accounts[name] = s.account
	b.plain[name] = s
	return s, nil
}

// within is the scope of a stage with attributes.
func (b *books) within(name, attributes string) (*scope, error) {
	s, err := b.stage(name)
	if err != nil || attributes == "" {
		return s, err
	}
	p := s.account.partitions[attributes]
	if p == nil {
		if s.account == b.outside.account {
			return s, nil
		}
		if b.partitions++; b.partitions > b.limits.Partitions {
			return nil, fmt.Errorf("it has more partitions than the limit of %d, another is %q: attributes should have few values", b.limits.Partitions, attributes)
		}
		p = &partition{name: attributes}
		s.account.partitions[attributes] = p
	}
	return &scope{account: s.account, partition: p, attributes: attributes}, nil
}

// column is that of a time since the trace began.
func (b *books) column(at time.Duration) int {
	for at/b.width >= maxColumns {
		b.width *= 2
		b.columns = joined(b.columns)
		for _, a := range b.accounts {
			a.columns = joined(a.columns)
		}
	}
	return int(at / b.width)
}

func joined(columns []Usage) []Usage {
	for i, u := range columns {
		if i%2 == 0 {
			columns[i/2] = u
		} else {
			columns[i/2].Add(u)
		}
	}
	return columns[:(len(columns)+1)/2]
}

func addTo(columns []Usage, i int, u Usage) []Usage {
	for len(columns) <= i {
		columns = append(columns, Usage{})
	}
	columns[i].Add(u)
	return columns
}

// book puts usage at a time to where it belongs.
func (b *books) book(s *scope, at time.Duration, u Usage) error {
	column := b.column(at)
	b.columns = addTo(b.columns, column, u)
	if s = s.known(); s.account != nil {
		s.put(column, u)
		return nil
	}
	if n := len(s.waits); n > 0 && s.waits[n-1].width == b.width && s.waits[n-1].column == column {
		s.waits[n-1].Add(u)
		return nil
	}
	if len(s.waits) == 0 {
		b.unknown = append(b.unknown, s)
	}
	if b.waiting++; b.waiting > maxWaiting {
		return fmt.Errorf("more goroutines than the limit of %d use something before it is known in which stage they are", maxWaiting)
	}
	s.waits = append(s.waits, waiting{column, b.width, u})
	return nil
}

func (s *scope) put(column int, u Usage) {
	s.account.Add(u)
	s.account.columns = addTo(s.account.columns, column, u)
	if s.partition != nil {
		s.partition.Add(u)
	}
}

// become books what has waited.
func (b *books) become(s, known *scope) {
	s.became = known
	for _, w := range s.waits {
		known.put(int(time.Duration(w.column)*w.width/b.width), w.Usage)
	}
	b.waiting -= len(s.waits)
	s.waits = nil
}

// close books to no stage what is still not known.
func (b *books) close() {
	for _, s := range b.unknown {
		if s.became == nil {
			b.become(s, b.outside)
		}
	}
	b.unknown = nil
}
