package probe

import (
	"context"
	"time"
)

// windowsPeriod is how often a point that has a [Point.Window] is attached.
const windowsPeriod = time.Second

// windows attaches such points to the processes for which they were asked for,
// and detaches them again, until ctx is done: only a probe that is not there
// costs nothing. In between they count as attached, and are closed.
func (w *Watcher) windows(ctx context.Context) {
	tick := time.NewTicker(windowsPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for point := range Catalogue {
			if Catalogue[point].Window == 0 || !w.openWindow(point) {
				continue
			}
			select {
			case <-ctx.Done(): // detachAll closes it
				return
			case <-time.After(Catalogue[point].Window):
			}
			w.closeWindow(point)
		}
	}
}

// openWindow says whether there is anybody for whom it was opened.
func (w *Watcher) openWindow(point int) (opened bool) {
	w.changing.Lock()
	defer w.changing.Unlock()
	for _, n := range w.snapshot() {
		a := n.points[point]
		if a.state != Attached || !a.closed {
			continue
		}
		if err := w.attach(n, point); err != nil {
			w.set(n, point, attached{state: Refused, reason: err.Error()})
			w.log.Warn("point refused", "pid", n.process.PID, "pom", Catalogue[point].Name, "reason", err)
			continue
		}
		a.closed = false
		w.set(n, point, a)
		opened = true
	}
	return opened
}

func (w *Watcher) closeWindow(point int) {
	w.changing.Lock()
	defer w.changing.Unlock()
	var unused []*sharedLink
	for _, n := range w.snapshot() {
		a := n.points[point]
		if a.state != Attached || a.closed {
			continue
		}
		unused = append(unused, w.drop(n, point)...)
		a.closed = true
		w.set(n, point, a)
	}
	w.close(unused)
}
