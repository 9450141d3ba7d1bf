package pacer

import (
	"fmt"
	"strconv"
	"strings"
)

// Budget is what watching may cost a process, as a share of the CPU time that
// it uses: 0.01 is 1 %.
type Budget float64

// DefaultBudget is 1 %.
const DefaultBudget Budget = 0.01

// A budget lies within these: with less not even a garbage collection could be
// watched, with more watching would be what the process does.
const (
	leastBudget    Budget = 0.0001
	greatestBudget Budget = 0.5
)

// UnmarshalText reads a percentage, "1%" or "0.5 %".
func (b *Budget) UnmarshalText(text []byte) error {
	number, isPercentage := strings.CutSuffix(strings.TrimSpace(string(text)), "%")
	percent, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !isPercentage || err != nil {
		return fmt.Errorf("budget is %q, must be a percentage such as 1%%", text)
	}
	// Not the other way round: NaN is refused as well.
	if read := Budget(percent / 100); read >= leastBudget && read <= greatestBudget {
		*b = read
		return nil
	}
	return fmt.Errorf("budget is %q, must be %v to %v", text, leastBudget, greatestBudget)
}

func (b Budget) String() string { return percent(float64(b)) }

// percent spells a share with two digits that tell something.
func percent(share float64) string { return strconv.FormatFloat(share*100, 'g', 2, 64) + " %" }
