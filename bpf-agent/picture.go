package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// picture is a heatmap for a terminal: rows of counts, the hottest second or
// bucket in the brightest colour.
//
//	sched.latency  shop v1.2.0  pid 4242
//	812/s   6,140 hits shown: p50 12 µs  p99 340 µs  max 1.1 ms
//	 1.0 ms │
//	        │    ░ ░
//	  64 µs │▒▒▒▓▒█▒▓▒
//	        └───────────
//	         -10s     now
//	q quit ...
type picture struct {
	// above are the lines over the plot, below the line under it.
	above []string
	below string
	// rows from top to bottom, all with one cell for each column of time.
	rows []row
	// step is how long a column is; the last ends now.
	step time.Duration
}

type row struct {
	// label is what the upper edge of the row, or the row, is called; "" for a row without.
	label string
	cells []uint64
}

// columns is how wide the plot can be in a terminal of a width, when labels take some of it.
func columns(width, label int) int { return max(width-label-3, 1) }

// linesFor is how many lines are left for the plot in a terminal of a height:
// two are above it, and the axis, the time and the keys below.
func linesFor(height int) int { return max(height-5, 1) }

// draw returns the lines of the picture for a terminal of a width, without
// line ends. With colours, two rows share a line: an upper half block has a
// colour for each half.
func (p picture) draw(width int, c colours) []string {
	label, hottest := 0, uint64(0)
	for _, r := range p.rows {
		label = max(label, utf8.RuneCountInString(r.label))
		for _, n := range r.cells {
			hottest = max(hottest, n)
		}
	}
	lines := make([]string, 0, len(p.above)+len(p.rows)+3)
	for _, l := range p.above {
		lines = append(lines, clip(l, width))
	}
	shade := func(r, x int) int { return intensity(p.rows[r].cells[x], hottest, c.steps()) }
	perLine := c.rowsPerLine()
	for i := 0; i < len(p.rows); i += perLine {
		name := p.rows[i].label
		if perLine == 2 && name == "" && i+1 < len(p.rows) {
			name = p.rows[i+1].label
		}
		var line strings.Builder
		fmt.Fprintf(&line, "%s%s │", strings.Repeat(" ", label-utf8.RuneCountInString(name)), name)
		pen := c.pen(&line)
		for x := range p.rows[i].cells {
			upper, lower := shade(i, x), 0
			if perLine == 2 && i+1 < len(p.rows) {
				lower = shade(i+1, x)
			}
			pen.cell(upper, lower)
		}
		pen.lift()
		lines = append(lines, line.String())
	}
	if len(p.rows) > 0 {
		n := len(p.rows[0].cells)
		margin := strings.Repeat(" ", label+1)
		lines = append(lines, margin+"└"+strings.Repeat("─", n), margin+" "+timeAxis(n, p.step))
	}
	return append(lines, clip(p.below, width))
}

// timeAxis writes how long ago columns were, every 20 columns or so.
func timeAxis(n int, step time.Duration) string {
	const every = 20
	axis := []byte(strings.Repeat(" ", n))
	put := func(end int, text string) {
		if from := end - len(text); from >= 0 {
			copy(axis[from:end], text)
		}
	}
	put(n, "now")
	for back := every; back <= n; back += every {
		// The text ends under the column.
		put(n-back+1, "-"+(time.Duration(back)*step).String())
	}
	return strings.TrimRight(string(axis), " ")
}

// intensity is 0 for no hit, else from 1 to steps by the logarithm: a cell of
// one hit is seen next to one of thousands.
func intensity(n, hottest uint64, steps int) int {
	if n == 0 {
		return 0
	}
	if n >= hottest {
		return steps
	}
	return 1 + int(float64(steps-1)*math.Log(float64(n))/math.Log(float64(hottest)))
}

func clip(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:width])
}

// colours is what a terminal can show.
type colours int

const (
	// plain draws with shades of grey blocks, for pipes and files.
	plain colours = iota
	// indexed has the 6x6x6 cube of xterm's 256 colours.
	indexed
	// direct has 24 bits for each colour.
	direct
)

// terminalColours says what the environment says of the terminal.
func terminalColours() colours {
	term, colorterm := os.Getenv("TERM"), os.Getenv("COLORTERM")
	switch {
	case os.Getenv("NO_COLOR") != "" || term == "dumb" || term == "":
		return plain
	case colorterm == "truecolor" || colorterm == "24bit":
		return direct
	}
	return indexed
}

var shades = []string{" ", "░", "▒", "▓", "█"}

// ramp runs from cold to hot, dark to bright, so that it reads in grey too. It
// begins well above black, which is where nothing was hit: the plot is dark on
// any terminal, so that one hit and a thousand can both be seen.
var ramp = makeRamp(24)

type rgb [3]float64

func makeRamp(steps int) []rgb {
	stops := []rgb{{90, 18, 115}, {120, 28, 109}, {159, 42, 99}, {212, 72, 66}, {245, 125, 21}, {250, 193, 39}, {252, 255, 164}}
	colours := make([]rgb, steps)
	for i := range colours {
		at := float64(i) / float64(steps-1) * float64(len(stops)-1)
		low := min(int(at), len(stops)-2)
		for j := range colours[i] {
			colours[i][j] = stops[low][j] + (at-float64(low))*(stops[low+1][j]-stops[low][j])
		}
	}
	return colours
}

func (c colours) steps() int {
	if c == plain {
		return len(shades) - 1
	}
	return len(ramp)
}

func (c colours) rowsPerLine() int {
	if c == plain {
		return 1
	}
	return 2
}

// sgr is the parameter of the escape sequence that selects a colour, after 38 or 48.
func (c colours) sgr(step int) string {
	var color rgb
	if step > 0 {
		color = ramp[step-1]
	}
	if c == direct {
		return fmt.Sprintf("2;%d;%d;%d", int(color[0]), int(color[1]), int(color[2]))
	}
	// The cube has levels 0, 95, 135, 175, 215, 255.
	level := func(v float64) int {
		if v < 48 {
			return 0
		}
		return min(max(int(math.Round((v-55)/40)), 1), 5)
	}
	return "5;" + strconv.Itoa(16+36*level(color[0])+6*level(color[1])+level(color[2]))
}

// pen writes cells, and an escape sequence only where the colours change.
type pen struct {
	to           *strings.Builder
	colours      colours
	upper, lower int
}

func (c colours) pen(to *strings.Builder) *pen { return &pen{to: to, colours: c, upper: -1, lower: -1} }

func (p *pen) cell(upper, lower int) {
	if p.colours == plain {
		p.to.WriteString(shades[upper])
		return
	}
	if upper != p.upper || lower != p.lower {
		fmt.Fprintf(p.to, "\x1b[38;%s;48;%sm", p.colours.sgr(upper), p.colours.sgr(lower))
		p.upper, p.lower = upper, lower
	}
	p.to.WriteString("▀")
}

// lift ends the colours, at the end of a line.
func (p *pen) lift() {
	if p.colours != plain {
		p.to.WriteString("\x1b[0m")
	}
}

// humanDuration writes nanoseconds with two digits or more: "119 ns", "1.0 µs", "12 ms", "128 s".
func humanDuration(ns float64) string { return human(ns, "ns", "µs", "ms", "s") }

// humanBytes writes bytes with two digits or more: "512 B", "1.5 kB".
func humanBytes(n float64) string { return human(n, "B", "kB", "MB", "GB") }

// human writes v, which is in the first of the units, in the one that suits it: each is a thousand of the one before.
func human(v float64, units ...string) string {
	i := 0
	for ; i < len(units)-1 && v >= 999.5; i++ {
		v /= 1000
	}
	if v < 9.95 && i > 0 {
		return fmt.Sprintf("%.1f %s", v, units[i])
	}
	return fmt.Sprintf("%.0f %s", v, units[i])
}

// humanCount writes a number with its thousands apart.
func humanCount(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
