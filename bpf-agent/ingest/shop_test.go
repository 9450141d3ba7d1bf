package ingest

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// shopRoutes are the routes of examples/shop by the names that its load has for them.
var shopRoutes = map[string]string{
	"products": "GET /products", "search": "GET /search", "cart": "POST /cart", "checkout": "POST /checkout", "report": "GET /report",
}

// requests is what was seen of the shop's, and what its load says that it sent.
type requests struct{ seen, sent map[string]uint64 }

func (r requests) ratio() float64 {
	var seen, sent uint64
	for _, n := range r.seen {
		seen += n
	}
	for _, n := range r.sent {
		sent += n
	}
	return float64(seen) / float64(sent)
}

// seeShop watches the shop while its load sends n requests.
func seeShop(t testing.TB, n int) (*agent, requests) {
	t.Helper()
	needsRoot(t)
	dir := t.TempDir()
	for name, pkg := range map[string]string{"shop": "../../examples/shop", "load": "../../examples/shop/load"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", pkg, err, out)
		}
	}
	shop := exec.Command(filepath.Join(dir, "shop"), "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
	says, err := shop.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shop.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = shop.Process.Signal(syscall.SIGTERM)
		_, _ = io.Copy(io.Discard, says)
		if err := shop.Wait(); err != nil {
			t.Errorf("shop: %v", err)
		}
	})
	line, err := bufio.NewReader(says).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, url, _ := strings.Cut(line, " url=")
	url, _, _ = strings.Cut(url, " ")

	a := watchSelection(t, probe.Options{}, goproc.Selection{PIDs: []int{shop.Process.Pid}})
	a.waitFor("shop to be watched", func() bool { return a.status(shop.Process.Pid) != nil })
	out, err := exec.Command(filepath.Join(dir, "load"), "--url", url, "--requests", fmt.Sprint(n)).CombinedOutput()
	if err != nil {
		t.Fatalf("load: %v\n%s", err, out)
	}
	r := requests{sent: map[string]uint64{}}
	for line := range strings.Lines(string(out)) {
		var name string
		var count uint64
		if _, err := fmt.Sscan(line, &name, &count); err == nil && strings.HasPrefix(name, "route_") {
			r.sent[shopRoutes[strings.TrimPrefix(name, "route_")]] = count
		}
	}
	// The last answers are on their way when the load has them all.
	a.settle(shop.Process.Pid, uint64(n))
	a.flush()
	r.seen = routesOf(a, "http.request")
	return a, r
}

func TestRequestsOfTheShopAreThoseOfItsLoad(t *testing.T) {
	a, r := seeShop(t, 1000)
	if !maps.Equal(r.seen, r.sent) {
		t.Errorf("routes are %v, its load has sent %v", r.seen, r.sent)
	}
	found, err := a.ingest.Exemplars("http.request", time.Now().Add(-time.Hour), time.Now().Add(time.Minute), func(*heat.Exemplar) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Error("no exemplars")
	}
	for _, x := range found {
		if x.Extra[0] == 0 || x.Extra[1] == 0 || x.ID == 0 || x.Key.Route == "" {
			t.Errorf("an exemplar without trace, goroutine or route: %+v", x)
		}
	}
}

func shopRatio(t testing.TB) float64 {
	_, r := seeShop(t, 1000)
	return r.ratio()
}
