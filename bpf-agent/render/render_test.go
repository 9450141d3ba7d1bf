package render

import (
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
)

var (
	dark  = color.RGBA{24, 27, 31, 255}
	white = color.RGBA{255, 255, 255, 255}
	look  = Look{Scheme: "Inferno", Width: 800, Height: 400}
	ten   = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
)

func value(v float64) string  { return strconv.FormatFloat(v, 'g', 2, 64) }
func count(n uint64) string   { return strconv.FormatUint(n, 10) }
func at(second int) time.Time { return ten.Add(time.Duration(second) * time.Second) }

// hits is a column of one bucket.
func hits(second int, bucket uint32, n uint64) heat.Column {
	return heat.Column{Start: at(second), Buckets: []uint32{bucket}, Counts: []uint64{n}}
}

// shown is a picture of so many seconds.
func shown(seconds int, plots ...[]heat.Column) Picture {
	p := Picture{Title: "sched.latency", From: ten, To: at(seconds), Step: time.Second, Value: value, Count: count}
	for _, columns := range plots {
		p.Plots = append(p.Plots, Plot{Caption: "shop", Columns: columns})
	}
	return p
}

// drawn returns the picture and where its plots are.
func drawn(t *testing.T, p Picture, look Look) (*image.RGBA, []image.Rectangle) {
	t.Helper()
	img, err := Draw(p, look)
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.arrange(look)
	if err != nil {
		t.Fatal(err)
	}
	return img, a.plots
}

// pixel is the colour of a plot at parts of its width, from the left, and height, from the bottom.
func pixel(img *image.RGBA, plot image.Rectangle, x, y float64) color.RGBA {
	return img.RGBAAt(plot.Min.X+int(x*float64(plot.Dx())), plot.Max.Y-1-int(y*float64(plot.Dy())))
}

func coldestAndHottest(t *testing.T, look Look) (coldest, hottest color.RGBA) {
	t.Helper()
	colours, err := coloursOf(look.Scheme, look.Light)
	if err != nil {
		t.Fatal(err)
	}
	return colours[0], colours[len(colours)-1]
}

func TestEachCellHasItsColourAtItsTimeAndBucket(t *testing.T) {
	for _, look := range []Look{look, {Scheme: "Viridis", Light: true, Width: 640, Height: 300}} {
		cold, hot := coldestAndHottest(t, look)
		background := dark
		if look.Light {
			background = white
		}
		img, plots := drawn(t, shown(4, []heat.Column{hits(0, 100, 1), hits(2, 101, 1000)}), look)
		for _, want := range []struct {
			what string
			x, y float64
			is   color.RGBA
		}{
			{"one hit in the first second, in the lower bucket", 0.125, 0.25, cold},
			{"nothing above it", 0.125, 0.75, background},
			{"nothing in the second second", 0.375, 0.25, background},
			{"a thousand hits in the third, in the upper bucket", 0.625, 0.75, hot},
			{"nothing below them", 0.625, 0.25, background},
			{"nothing in the last", 0.875, 0.75, background},
		} {
			if got := pixel(img, plots[0], want.x, want.y); got != want.is {
				t.Errorf("%s, light %t: %s: is %v, want %v", look.Scheme, look.Light, want.what, got, want.is)
			}
		}
		// A cell fills whole pixels up to its edges.
		edge := plots[0].Dx() / 2
		for x, is := range map[int]color.RGBA{edge - 1: background, edge: hot} {
			if got := img.RGBAAt(plots[0].Min.X+x, plots[0].Min.Y); got != is {
				t.Errorf("pixel %d of %d is %v, want %v", x, plots[0].Dx(), got, is)
			}
		}
	}
}

func TestALoneHotCellIsSeenAmongMoreCellsThanPixels(t *testing.T) {
	const seconds = 4000
	var columns []heat.Column
	for s := range seconds {
		columns = append(columns, heat.Column{Start: at(s), Buckets: []uint32{10, 200}, Counts: []uint64{1, 1}})
	}
	columns[1234] = heat.Column{Start: at(1234), Buckets: []uint32{10, 100, 200}, Counts: []uint64{1, 5000, 1}}
	look := Look{Scheme: "Inferno", Width: MinWidth, Height: MinHeight}
	_, hot := coldestAndHottest(t, look)
	img, plots := drawn(t, shown(seconds, columns), look)
	if plots[0].Dx() >= seconds || plots[0].Dy() >= 191 {
		t.Fatalf("the plot has %v pixels: room for every cell", plots[0].Size())
	}
	var found []image.Point
	for y := plots[0].Min.Y; y < plots[0].Max.Y; y++ {
		for x := plots[0].Min.X; x < plots[0].Max.X; x++ {
			if img.RGBAAt(x, y) == hot {
				found = append(found, image.Pt(x-plots[0].Min.X, y))
			}
		}
	}
	if want := plots[0].Dx() * 1234 / seconds; len(found) != 1 || found[0].X < want-1 || found[0].X > want+1 {
		t.Errorf("the hot cell is at %v, want one pixel near column %d", found, want)
	}
}

func TestAllPlotsShareARampAndAxes(t *testing.T) {
	cold, hot := coldestAndHottest(t, look)
	img, plots := drawn(t, shown(2, []heat.Column{hits(0, 100, 1)}, []heat.Column{hits(1, 103, 1000)}), look)
	if got := pixel(img, plots[0], 0.25, 0.1); got != cold {
		t.Errorf("one hit is %v, want %v, cold beside the thousand of the other plot", got, cold)
	}
	if got := pixel(img, plots[1], 0.75, 0.9); got != hot {
		t.Errorf("a thousand hits are %v, want %v, in the uppermost of four buckets", got, hot)
	}
	if got := pixel(img, plots[1], 0.25, 0.1); got != dark {
		t.Errorf("the second plot has %v where the first has a hit", got)
	}
}

func TestHitsWithoutValueAreInOneRow(t *testing.T) {
	_, hot := coldestAndHottest(t, look)
	p := shown(2, []heat.Column{hits(0, 0, 7)})
	p.Value = nil
	img, plots := drawn(t, p, look)
	for _, y := range []float64{0.01, 0.5, 0.99} {
		if got := pixel(img, plots[0], 0.25, y); got != hot {
			t.Errorf("at %.2f of the height is %v, want %v", y, got, hot)
		}
	}
}

// What testdata holds the front end's renderer has made: npm run generate:schemes.
func TestCellsAndLevelsAreThoseOfTheFrontEnd(t *testing.T) {
	content, err := os.ReadFile("testdata/drawn.gen.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Levels []struct {
			Fewest, Most uint64
			Counts       []uint64
			Levels       []uint8
		}
		Spans []struct {
			Cells, Pixels int
			Edges         []float64
			First, Last   []int
		}
	}
	if err := json.Unmarshal(content, &want); err != nil || len(want.Levels) == 0 || len(want.Spans) == 0 {
		t.Fatalf("%d ramps and %d axes to compare with: %v", len(want.Levels), len(want.Spans), err)
	}
	for _, w := range want.Levels {
		level := levelOn(w.Fewest, w.Most, 64)
		for i, n := range w.Counts {
			if got := level(n); got != w.Levels[i] {
				t.Errorf("%d hits of %d to %d have level %d, want %d", n, w.Fewest, w.Most, got, w.Levels[i])
			}
		}
	}
	for _, w := range want.Spans {
		for pixel, got := range spansOf(w.Cells, w.Pixels, func(i int) float64 { return w.Edges[i] }) {
			if want := (span{w.First[pixel], w.Last[pixel]}); got != want {
				t.Errorf("pixel %d of %d shows cells %v of %d, want %v", pixel, w.Pixels, got, w.Cells, want)
			}
		}
	}
}

// The ramp of the front end: even in the logarithm, the fewest coldest.
func TestLevelsAreEvenInTheLogarithm(t *testing.T) {
	level := levelOn(1, 1<<16, 64)
	for n, want := range map[uint64]uint8{0: 0, 1: 1, 2: 5, 16: 17, 256: 33, 4096: 49, 1<<16 - 1: 64, 1 << 16: 64} {
		if got := level(n); got != want {
			t.Errorf("%d hits have level %d, want %d", n, got, want)
		}
	}
	if got := levelOn(3, 3, 64)(3); got != 64 {
		t.Errorf("where all cells have as many hits, they have level %d, want 64", got)
	}
}

func TestEverySchemeHas64DifferentLevelsOnBothBackgrounds(t *testing.T) {
	if got := Schemes(); len(got) < 30 || got[0] != "Inferno" {
		t.Fatalf("schemes %v, want all of the panel's, its default first", got)
	}
	for _, name := range Schemes() {
		for _, light := range []bool{false, true} {
			colours, err := coloursOf(name, light)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[color.RGBA]bool{}
			for _, c := range colours {
				seen[c] = true
			}
			if len(colours) != 64 || len(seen) < 50 {
				t.Errorf("%s, light %t: %d colours, of which %d differ, want 64", name, light, len(colours), len(seen))
			}
		}
	}
}

func TestValuesAreLabelledWithinTheirAxis(t *testing.T) {
	got := valueTicks(placeOf(900), placeOf(1.1e6), 10)
	if len(got) != 10 || got[0] != 1e3 || got[9] != 1e6 {
		t.Errorf("labels %v, want 1, 2, 5 ... from 1 µs to 1 ms", got)
	}
	if got := valueTicks(placeOf(900), placeOf(1.1e6), 4); len(got) != 4 {
		t.Errorf("labels %v, want powers of ten where no more have room", got)
	}
	// A bound of a bucket is where the bucket ends.
	if got := placeOf(heat.UpperSeconds(100) * 1e9); got < 100.999 || got > 101.001 {
		t.Errorf("the upper bound of bucket 100 is at %.3f, want 101", got)
	}
}

func TestTimesAreLabelledInTheRange(t *testing.T) {
	times, format := timeTicks(ten.Add(7*time.Second), ten.Add(15*time.Minute), 8)
	if len(times) != 7 || times[0].Format(format) != "10:02" || times[6].Format(format) != "10:14" {
		t.Errorf("labels %v as %s, want every second minute from 10:02 to 10:14", times, format)
	}
}

func TestWhatCannotBeDrawnIsRefusedByName(t *testing.T) {
	one := []heat.Column{hits(0, 100, 1)}
	for want, with := range map[string]struct {
		Picture
		Look
	}{
		"width is 319, must be 320 to 4096 pixels":                    {shown(1, one), Look{"Inferno", false, 319, 400}},
		"height is 4097, must be 200 to 4096 pixels":                  {shown(1, one), Look{"Inferno", false, 400, 4097}},
		`scheme is "Infrared", must be one of Inferno, Magma, Plasma`: {shown(1, one), Look{"Infrared", false, 400, 400}},
		"there are 3 plots, at most 1 have room in a height of 200":   {shown(1, one, one, one), Look{"Inferno", false, 400, 200}},
		"must be after from":                         {shown(0, one), look},
		"a column has bucket 242, must be below 242": {shown(1, []heat.Column{hits(0, heat.NumBuckets, 1)}), look},
		ErrNoHits.Error():                            {shown(1, nil), look},
	} {
		if _, err := Draw(with.Picture, with.Look); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if _, err := Draw(shown(1, []heat.Column{hits(5, 100, 1)}), look); !errors.Is(err, ErrNoHits) {
		t.Errorf("hits after the range: error %v, want %v", err, ErrNoHits)
	}
}
