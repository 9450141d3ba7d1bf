// Package render draws heat as a picture, for reports and CI: heat goes in, an
// image comes out, with the colours and the rules of the front end's panel.
//
//	sched.latency
//	2026-11-22 10:00:00 to 10:15:00 UTC   6,140 hits
//	shop v1.2.0   6,140 hits ...
//	 1.0 ms │
//	        │    ░ ░               one plot for each series, below each other,
//	  64 µs │▒▒▒▓▒█▒▓▒             on the same axes and with the same ramp
//	        └───────────
//	        10:00    10:05
//	 1 ▒▒▒▒▒▒▒▒▒▓▓▓▓▓▓▓▓▓█████ 812 hits in 1s
package render

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"time"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/gotherm/gotherm/pkg/heat"
)

// Picture is what there is to see.
type Picture struct {
	// Title and Subtitle are the lines above all plots.
	Title, Subtitle string
	// From and To are the ends of the time axis; it is labelled in their zone.
	From, To time.Time
	// Step is how long a column is. Columns begin at multiples of it since the epoch.
	Step  time.Duration
	Plots []Plot
	// Value writes a value of the value axis, in the unit of the buckets. It is
	// nil where a hit has no value: then all hits of a column are in one cell.
	Value func(float64) string
	// Count writes a number of hits.
	Count func(uint64) string
}

// Plot is one series.
type Plot struct {
	Caption string
	Columns []heat.Column
}

// Look says how it is drawn.
type Look struct {
	// Scheme is one of [Schemes].
	Scheme string
	// Light has a light background, else it is dark.
	Light bool
	// Width and Height of the image in pixels.
	Width, Height int
}

// Check returns an error that names the first field that is not as it must be.
func (l Look) Check() error {
	switch {
	case l.Width < MinWidth || l.Width > MaxWidth:
		return fmt.Errorf("width is %d, must be %d to %d pixels", l.Width, MinWidth, MaxWidth)
	case l.Height < MinHeight || l.Height > MaxHeight:
		return fmt.Errorf("height is %d, must be %d to %d pixels", l.Height, MinHeight, MaxHeight)
	}
	_, err := coloursOf(l.Scheme, l.Light)
	return err
}

// Limits of a picture, in pixels. All plots together have to fit in its height.
const (
	MinWidth, MaxWidth   = 320, 4096
	MinHeight, MaxHeight = 200, 4096
	minPlot              = 32
)

const (
	margin     = 12
	titleSize  = 16
	textSize   = 12
	line       = 18 // of text
	titleLine  = 24
	axisRoom   = 24
	legendRoom = 22
	legendBar  = 240
	tickEvery  = 34  // at least so far apart are labels of the value axis
	timeEvery  = 110 // and of the time axis
)

// MaxPlots returns how many plots have room in a picture of a height.
func MaxPlots(height int) int {
	return max(0, (height-2*margin-titleLine-line-axisRoom-legendRoom)/(line+minPlot))
}

// ErrNoHits is when there is nothing to draw.
var ErrNoHits = errors.New("no hits")

// Draw draws a picture. It returns [ErrNoHits] when no plot has a hit between
// the ends of the time axis, and an error that names the field for what cannot
// be drawn.
func Draw(p Picture, look Look) (*image.RGBA, error) {
	a, err := p.arrange(look)
	if err != nil {
		return nil, err
	}
	a.text()
	for i, g := range a.grids {
		g.draw(a.image, a.plots[i], a.x, a.y, a.level, a.colours)
		outline(a.image, a.plots[i], a.faint)
	}
	a.valueAxes()
	a.timeAxis()
	a.legend()
	return a.image, nil
}

// arranged is a picture for which everything has its place.
type arranged struct {
	Picture
	image        *image.RGBA
	title, small font.Face
	ink, faint   color.RGBA
	colours      []color.RGBA
	plots        []image.Rectangle
	grids        []grid
	x, y         []span
	fewest, most uint64 // of the filled cells
	level        func(uint64) uint8
	low, high    int // the buckets of the value axis, both included
}

func (p Picture) arrange(look Look) (*arranged, error) {
	if err := look.Check(); err != nil {
		return nil, err
	}
	switch {
	case !p.From.Before(p.To):
		return nil, fmt.Errorf("to is %s, must be after from, %s", p.To.Format(time.RFC3339), p.From.Format(time.RFC3339))
	case p.Step <= 0:
		return nil, fmt.Errorf("step is %s, must be over 0s", p.Step)
	case len(p.Plots) > MaxPlots(look.Height):
		return nil, fmt.Errorf("there are %d plots, at most %d have room in a height of %d", len(p.Plots), MaxPlots(look.Height), look.Height)
	}
	a := &arranged{Picture: p, ink: color.RGBA{204, 204, 220, 255}, faint: color.RGBA{62, 64, 72, 255}}
	background := color.RGBA{24, 27, 31, 255} // that of panels in Grafana, as are the others
	if look.Light {
		background, a.ink, a.faint = color.RGBA{255, 255, 255, 255}, color.RGBA{36, 41, 46, 255}, color.RGBA{210, 212, 216, 255}
	}
	var err error
	if a.colours, err = coloursOf(look.Scheme, look.Light); err != nil {
		return nil, err
	}
	if err := a.fill(); err != nil {
		return nil, err
	}
	a.level = levelOn(a.fewest, a.most, len(a.colours))
	if a.title, err = face(titleSize); err != nil {
		return nil, err
	}
	if a.small, err = face(textSize); err != nil {
		return nil, err
	}
	a.image = image.NewRGBA(image.Rect(0, 0, look.Width, look.Height))
	draw.Draw(a.image, a.image.Bounds(), image.NewUniform(background), image.Point{}, draw.Src)
	a.place()
	return a, nil
}

// firstColumn is where the columns are counted from.
func (p Picture) firstColumn() time.Time {
	return time.Unix(0, p.From.UnixNano()-p.From.UnixNano()%int64(p.Step))
}

// fill makes the grids: of the columns of the range, and of the buckets that any plot has hits in.
func (a *arranged) fill() error {
	first := a.firstColumn()
	columns := int((a.To.Sub(first) + a.Step - 1) / a.Step)
	each := func(c heat.Column, f func(column, bucket int, n uint64)) error {
		column := int(math.Floor(float64(c.Start.Sub(first)) / float64(a.Step)))
		if column < 0 || column >= columns {
			return nil
		}
		for i, b := range c.Buckets {
			switch {
			case b >= heat.NumBuckets:
				return fmt.Errorf("a column has bucket %d, must be below %d", b, heat.NumBuckets)
			case i >= len(c.Counts):
				return fmt.Errorf("a column has %d buckets and %d counts", len(c.Buckets), len(c.Counts))
			case c.Counts[i] == 0:
			case a.Value == nil:
				f(column, 0, c.Counts[i])
			default:
				f(column, int(b), c.Counts[i])
			}
		}
		return nil
	}
	a.low, a.high = heat.NumBuckets, -1
	for _, p := range a.Plots {
		for _, c := range p.Columns {
			if err := each(c, func(_, bucket int, _ uint64) { a.low, a.high = min(a.low, bucket), max(a.high, bucket) }); err != nil {
				return err
			}
		}
	}
	if a.high < 0 {
		return ErrNoHits
	}
	a.fewest = math.MaxUint64
	for _, p := range a.Plots {
		g := newGrid(columns, a.high-a.low+1)
		for _, c := range p.Columns {
			_ = each(c, func(column, bucket int, n uint64) { g.counts[column*g.rows+bucket-a.low] += n })
		}
		for _, n := range g.counts {
			if n > 0 {
				a.fewest, a.most = min(a.fewest, n), max(a.most, n)
			}
		}
		a.grids = append(a.grids, g)
	}
	return nil
}

// place gives each plot its rectangle, and the cells their pixels.
func (a *arranged) place() {
	size := a.image.Bounds().Size()
	left := margin
	if a.Value != nil {
		for _, v := range valueTicks(float64(a.low), float64(a.high+1), math.MaxInt) {
			left = max(left, margin+a.widthOf(a.Value(v))+6)
		}
	}
	top := margin + titleLine + line
	each := (size.Y - top - margin - axisRoom - legendRoom) / len(a.Plots)
	for i := range a.Plots {
		a.plots = append(a.plots, image.Rect(left, top+i*each+line, size.X-margin, top+(i+1)*each))
	}
	plot := a.plots[0].Size()
	a.x = spansOf(a.grids[0].columns, plot.X, func(i int) float64 {
		return a.pixelOf(a.firstColumn().Add(time.Duration(i) * a.Step))
	})
	a.y = spansOf(a.grids[0].rows, plot.Y, func(i int) float64 { return a.lineOf(float64(a.low + i)) })
}

// pixelOf tells where a time is in a plot, from the left.
func (a *arranged) pixelOf(t time.Time) float64 {
	return float64(t.Sub(a.From)) / float64(a.To.Sub(a.From)) * float64(a.plots[0].Dx())
}

// lineOf tells where a place of the value axis is in a plot, from the top.
func (a *arranged) lineOf(place float64) float64 {
	return (1 - (place-float64(a.low))/float64(a.high+1-a.low)) * float64(a.plots[0].Dy())
}

func (a *arranged) text() {
	room := a.image.Bounds().Dx() - 2*margin
	a.write(a.title, margin, margin+titleSize, clip(a.title, a.Title, room))
	a.write(a.small, margin, margin+titleLine+textSize, clip(a.small, a.Subtitle, room))
	for i, p := range a.Plots {
		area := a.plots[i]
		a.write(a.small, area.Min.X, area.Min.Y-5, clip(a.small, p.Caption, area.Dx()))
	}
}

func (a *arranged) valueAxes() {
	if a.Value == nil {
		return
	}
	for _, area := range a.plots {
		for _, v := range valueTicks(float64(a.low), float64(a.high+1), max(2, area.Dy()/tickEvery)) {
			y := area.Min.Y + int(math.Round(a.lineOf(placeOf(v))))
			fill(a.image, image.Rect(area.Min.X-4, y, area.Min.X, y+1), a.ink)
			text := a.Value(v)
			a.write(a.small, area.Min.X-6-a.widthOf(text), y+4, text)
		}
	}
}

func (a *arranged) timeAxis() {
	area := a.plots[len(a.plots)-1]
	ticks, format := timeTicks(a.From, a.To, area.Dx()/timeEvery)
	for _, t := range ticks {
		x := area.Min.X + int(math.Round(a.pixelOf(t)))
		fill(a.image, image.Rect(x, area.Max.Y, x+1, area.Max.Y+4), a.ink)
		text := t.Format(format)
		width := a.widthOf(text)
		a.write(a.small, min(x-width/2, area.Max.X-width), area.Max.Y+4+textSize, text)
	}
}

// legend shows the colour of each level between the counts of the coldest and the hottest cell.
func (a *arranged) legend() {
	bottom := a.image.Bounds().Dy() - margin
	fewest := a.Count(a.fewest)
	a.write(a.small, margin, bottom, fewest)
	from := margin + a.widthOf(fewest) + 6
	for x := range legendBar {
		fill(a.image, image.Rect(from+x, bottom-10, from+x+1, bottom), a.colours[x*len(a.colours)/legendBar])
	}
	a.write(a.small, from+legendBar+6, bottom, fmt.Sprintf("%s hits in %s, log scale", a.Count(a.most), a.Step))
}

func (a *arranged) write(f font.Face, x, baseline int, text string) {
	d := font.Drawer{Dst: a.image, Src: image.NewUniform(a.ink), Face: f, Dot: fixed.P(x, baseline)}
	d.DrawString(text)
}

func (a *arranged) widthOf(text string) int { return font.MeasureString(a.small, text).Ceil() }

// clip returns as much of a text as has room.
func clip(f font.Face, text string, room int) string {
	clipped := []rune(text)
	for n := len(clipped); font.MeasureString(f, text).Ceil() > room && n > 0; n-- {
		text = string(clipped[:n-1]) + "…"
	}
	return text
}

func face(size float64) (font.Face, error) {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("read the font: %w", err)
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
}

func fill(to *image.RGBA, r image.Rectangle, c color.RGBA) {
	draw.Draw(to, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// outline draws the axes around a plot, just outside of it.
func outline(to *image.RGBA, r image.Rectangle, c color.RGBA) {
	fill(to, image.Rect(r.Min.X-1, r.Min.Y, r.Min.X, r.Max.Y+1), c)
	fill(to, image.Rect(r.Min.X-1, r.Max.Y, r.Max.X, r.Max.Y+1), c)
}
