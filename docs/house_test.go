// Package docs_test keeps what is written about this house true of it.
package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tour is the order in which a newcomer reads the street, see CONTRIBUTING.md.
var tour = []string{
	"bpf-agent/probe/catalogue.go",
	"bpf-agent/bpf/sched.bpf.c",
	"bpf-agent/ingest/ingest.go",
	"pkg/heat/matrix.go",
	"pkg/datasource/querydata.go",
	"src/renderer/draw.ts",
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestEachFileOfTheTourNamesTheOneBeforeAndTheOneAfter(t *testing.T) {
	for i, path := range tour {
		text := read(t, path)
		if i > 0 && !strings.Contains(text, tour[i-1]) {
			t.Errorf("%s does not name %s, the file before it", path, tour[i-1])
		}
		if i < len(tour)-1 && !strings.Contains(text, tour[i+1]) {
			t.Errorf("%s does not name %s, the file after it", path, tour[i+1])
		}
	}
}

func TestTheTourIsTold(t *testing.T) {
	told := read(t, "CONTRIBUTING.md")
	at := 0
	for _, path := range tour {
		next := strings.Index(told[at:], path)
		if next < 0 {
			t.Fatalf("CONTRIBUTING.md does not name %s after the file before it", path)
		}
		at += next
	}
}

func TestEachRoomOnTheMapIsThere(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(read(t, "CONTRIBUTING.md"), -1)
	if len(rows) < 20 {
		t.Fatalf("the map has %d rooms, at least 20", len(rows))
	}
	for _, row := range rows {
		if _, err := os.Stat(filepath.Join("..", row[1])); err != nil {
			t.Errorf("a room on the map: %v", err)
		}
	}
}

func TestEachFileThatADocumentLinksToIsThere(t *testing.T) {
	documents, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(documents, "../README.md", "../CONTRIBUTING.md", "../CHANGELOG.md") {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllSubmatch(content, -1) {
			to := string(link[1])
			if strings.Contains(to, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), to)); err != nil {
				t.Errorf("%s links to %s: %v", path, to, err)
			}
		}
	}
}
