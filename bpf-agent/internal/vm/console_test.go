package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
)

// console is what a machine says, with lines as a serial console ends them.
func console(lines ...string) io.Reader {
	return strings.NewReader(strings.Join(lines, "\r\n") + "\r\n")
}

const (
	booted = "\x1b[2J\x1b[0mSeaBIOS\r\n[    2.1] booted\r\n\r\n" + mark + "machine 6.1.0-56-amd64 2"
	begin  = "\r\n" + mark + "begin ingest"
	passed = "\x16=== RUN   TestOne\r\n    one_test.go:7: node 1: 40 of 80\r\n\x16--- PASS: TestOne (1.50s)\r\n\x16PASS"
	ended  = "\r\n" + mark + "end ingest 0"
	done   = "\r\n" + mark + "done"
)

func TestAConsoleIsReadForWhatFailed(t *testing.T) {
	skipped := func(reason string) string {
		return "\x16=== RUN   TestTwo\r\n    two_test.go:9: " + reason + "\r\n\x16--- SKIP: TestTwo (0.00s)\r\n\x16PASS"
	}
	for _, c := range []struct {
		what  string
		lines []string
		want  []string // of the error; none when all is well
	}{
		{"all is well", []string{booted, begin, passed, ended, done}, nil},
		{"a test that can't run there", []string{booted, begin, passed, skipped("cannot run here: no uprobe_multi"), ended, done}, nil},
		{"a test that could", []string{booted, begin, passed, skipped("needs a friend"), ended, done}, []string{"TestTwo was skipped"}},
		{"a failure", []string{booted, begin, "\x16=== RUN   TestOne\r\n    one_test.go:7: too few\r\n\x16--- FAIL: TestOne (0.10s)\r\n\x16FAIL", "\r\n" + mark + "end ingest 1", done}, []string{"TestOne failed", "too few", "ingest ended with 1", "no test has passed"}},
		{"a crash", []string{booted, begin, "\x16=== RUN   TestOne\r\npanic: oh", "\r\n" + mark + "end ingest 2", done}, []string{"ingest ended with 2", "panic: oh"}},
		{"a panic of the kernel", []string{booted, begin, passed, "[ 9.1] Kernel panic"}, []string{"ended before it was done", "Kernel panic"}},
		{"one node", []string{"\r\n" + mark + "machine 6.1 1", begin, passed, ended, done}, []string{"must have 2 NUMA nodes"}},
		{"an error of init", []string{booted, "\r\n" + mark + "error mount /proc: no"}, []string{"mount /proc: no"}},
		{"silence", nil, []string{"ended before it was done"}},
	} {
		var report bytes.Buffer
		err := readConsole(console(c.lines...), &report)
		if err == nil != (c.want == nil) {
			t.Errorf("%s: error %v, report\n%s", c.what, err, &report)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q", c.what, err, want)
			}
		}
		if c.want == nil && !strings.Contains(report.String(), "TestOne (1.5s)\n    one_test.go:7: node 1: 40 of 80\n") {
			t.Errorf("%s: the report is\n%s", c.what, &report)
		}
	}
}

func TestAnImageHasTheFilesAndTheirModes(t *testing.T) {
	root := t.TempDir()
	if err := errors.Join(
		os.MkdirAll(filepath.Join(root, "a/b"), 0o755),
		os.WriteFile(filepath.Join(root, "a/b/run"), []byte("#!"), 0o755),
		os.WriteFile(filepath.Join(root, "note"), []byte("12345"), 0o644),
	); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "image")
	if err := pack(root, image); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	got := map[string]string{}
	archive := cpio.NewReader(file)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = h.Mode.String() + " " + string(text)
	}
	for name, want := range map[string]string{"a": "040755", "a/b": "040755", "a/b/run": "0100755 #!", "note": "0100644 12345"} {
		if !strings.HasPrefix(got[name], want) {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if len(got) != 4 {
		t.Errorf("the archive has %q", got)
	}
}
