package collect

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// opened opens a store, which nothing must be wrong with.
func opened(t *testing.T, path string, keep Retention) *Store {
	t.Helper()
	s, torn, err := OpenStore(path, keep)
	if err != nil || torn != nil {
		t.Fatalf("open: %v, %v", torn, err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// put keeps a profile of some size, n seconds after noon. Its bytes say which it is.
func put(t *testing.T, s *Store, n, size int) Profile {
	t.Helper()
	at := noon.Add(time.Duration(n) * time.Second)
	p, err := s.Put(Profile{Process: "7-70", Service: "shop", Type: "cpu", From: at, To: at}, bytes.Repeat([]byte{byte(n)}, size))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func everything(Profile) bool { return true }

// kept is which profiles there are, by their seconds after noon; each is read and compared.
func kept(t *testing.T, s *Store) string {
	t.Helper()
	var list []string
	for _, p := range s.List(everything) {
		n := int(p.From.Sub(noon) / time.Second)
		about, raw, err := s.Get(p.ID)
		if err != nil || about != p || !bytes.Equal(raw, bytes.Repeat([]byte{byte(n)}, p.Bytes)) {
			t.Errorf("profile %d is %+v, %d bytes, %v", n, about, len(raw), err)
		}
		list = append(list, fmt.Sprint(n))
	}
	return strings.Join(list, " ")
}

func TestTheNewestAreKept(t *testing.T) {
	for name, c := range map[string]struct {
		keep Retention
		want string
	}{
		"by bytes": {Retention{Age: time.Hour, Bytes: 3_500, Count: 100}, "7 8 9"},
		"by count": {Retention{Age: time.Hour, Bytes: 1 << 20, Count: 2}, "8 9"},
		"by age":   {Retention{Age: 4 * time.Second, Bytes: 1 << 20, Count: 100}, "5 6 7 8 9"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "profiles.db")
			s := opened(t, path, c.keep)
			for n := range 10 {
				put(t, s, n, 1_000)
			}
			if got := kept(t, s); got != c.want {
				t.Errorf("kept are %s, want %s", got, c.want)
			}
			if n, bytes, dropped := s.Holding(); n != len(strings.Fields(c.want)) || bytes != 1_000*n || dropped != uint64(10-n) {
				t.Errorf("%d profiles, %d bytes, %d dropped", n, bytes, dropped)
			}
			if _, _, err := s.Get(1); !errors.Is(err, ErrGone) {
				t.Errorf("the first is there: %v", err)
			}
			if _, err := s.Put(Profile{To: noon}, make([]byte, c.keep.Bytes+1)); err == nil || !strings.Contains(err.Error(), "at most") {
				t.Errorf("one that is larger than all may be: %v", err)
			}
			// The next agent finds them.
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = opened(t, path, c.keep)
			if got := kept(t, s); got != c.want {
				t.Errorf("kept are %s when opened again, want %s", got, c.want)
			}
			if err := s.Expire(noon.Add(2 * time.Hour)); err != nil || kept(t, s) != "" {
				t.Errorf("two hours later there are %s, %v", kept(t, s), err)
			}
			// A link to one of before must not lead to another.
			if p := put(t, s, 11, 10); p.ID != 11 {
				t.Errorf("the eleventh has the id %d", p.ID)
			}
		})
	}
}

// The room of what is dropped is used again.
func TestTheFileStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "profiles.db")
	s := opened(t, path, Retention{Age: time.Hour, Bytes: 1 << 20, Count: 10_000})
	s.db.NoSync = true // 800 profiles are a day's
	for n := range 800 {
		put(t, s, n, 5_000+37*(n%400))
	}
	about, err := os.Stat(path)
	if err != nil || about.Size() > 4<<20 {
		t.Errorf("the file has %d bytes for 1 MiB of profiles, %v", about.Size(), err)
	}
}

func TestATornFileIsSetAside(t *testing.T) {
	keep := Retention{Age: time.Hour, Bytes: 1 << 20, Count: 100}
	for name, tear := range map[string]func([]byte) []byte{
		"cut off":            func(b []byte) []byte { return b[:bytes.LastIndex(b, bytes.Repeat([]byte{19}, 500))] },
		"cut to its heading": func(b []byte) []byte { return b[:9000] },
		"of zeros after":     func(b []byte) []byte { return append(b[:8192:8192], make([]byte, len(b)-8192)...) },
		"of something else":  func(b []byte) []byte { return bytes.Repeat([]byte("gotherm "), len(b)/8) },
		"with a bit flipped": func(b []byte) []byte { b[bytes.LastIndex(b, bytes.Repeat([]byte{3}, 500))+100] ^= 1; return b },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "profiles.db")
			s := opened(t, path, keep)
			for n := range 20 {
				put(t, s, n, 3_000)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			torn := tear(bytes.Clone(whole))
			if err := os.WriteFile(path, torn, 0o600); err != nil {
				t.Fatal(err)
			}
			s, said, err := OpenStore(path, keep)
			if err != nil || said == nil || !strings.Contains(said.Error(), "set aside as "+path+".torn") {
				t.Fatalf("opening it says %v, %v", said, err)
			}
			defer s.Close()
			if aside, err := os.ReadFile(path + ".torn"); err != nil || len(aside) != len(torn) {
				t.Errorf("set aside are %d bytes of %d, %v", len(aside), len(torn), err)
			}
			put(t, s, 1, 1_000)
			if got := kept(t, s); got != "1" {
				t.Errorf("the new file has %s", got)
			}
		})
	}
}

func TestAFileIsOfOneAgent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "profiles.db")
	keep := Retention{Age: time.Hour, Bytes: 1 << 20, Count: 100}
	s := opened(t, path, keep)
	put(t, s, 1, 10)
	if _, torn, err := OpenStore(path, keep); err == nil || torn != nil || !strings.Contains(err.Error(), "another process has it open") {
		t.Errorf("a second agent is told %v, %v", torn, err)
	}
	if got := kept(t, s); got != "1" {
		t.Errorf("the first has %s", got)
	}
	if _, torn, err := OpenStore(t.TempDir(), keep); err == nil || torn != nil {
		t.Errorf("a folder is opened: %v, %v", torn, err)
	}
}

func TestATemporaryFileLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s := opened(t, "", Retention{Age: time.Hour, Bytes: 1 << 20, Count: 100})
	put(t, s, 1, 10)
	if got := kept(t, s); got != "1" {
		t.Errorf("it has %s", got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("there is %v, %v", left, err)
	}
}
