package probe

import (
	"errors"

	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
)

// versionsDoc says what works with which Go release and way to build: a line
// for each, made by the tests here. With -update they write the lines of what
// they have tried, and leave the others.
const versionsDoc = "../../docs/go-versions.md"

// fullMatrix is the environment variable that has every release tried with
// every way to build, which takes half an hour of compiling where nothing is
// cached; else it is every release in its plainest form, and the newest in all.
const fullMatrix = "GOTHERM_FULL_MATRIX"

var releases = []string{"go1.21.13", "go1.22.12", "go1.23.12", "go1.24.13", "go1.25.14", "go1.26.11", "go1.27.4"}

// way is a way to build.
type way struct {
	name  string
	flags []string
	often bool // tried with each release
}

var ways = []way{
	{"default", nil, true},
	{"`-ldflags \"-s -w\"`", []string{"-ldflags=-s -w"}, true},
	{"PIE, stripped", []string{"-buildmode=pie", "-ldflags=-s -w"}, false},
	{"static PIE", []string{"CGO_ENABLED=1", "-buildmode=pie", "-ldflags=-linkmode=external -extldflags=-static-pie"}, false},
	{"cgo", []string{"CGO_ENABLED=1", "-ldflags=-linkmode=external"}, false},
	{"`-race`", []string{"CGO_ENABLED=1", "-race"}, false},
}

// Every release, however it was built, runs and is found, and each measurement
// point can be attached to it or says why not: what docs/go-versions.md says.
func TestEveryGoReleaseIsWatchedAsTheDocumentSays(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("comparing the code of a process with its file needs root")
	}
	written := versionLines(t)
	for _, release := range releases {
		for _, w := range ways {
			if !w.often && release != releases[len(releases)-1] && os.Getenv(fullMatrix) == "" {
				continue
			}
			t.Run(release+" "+w.name, func(t *testing.T) {
				if slices.Contains(w.flags, "CGO_ENABLED=1") {
					if _, err := exec.LookPath("gcc"); err != nil {
						t.Skip("building with cgo needs gcc")
					}
				}
				program := target.Start(t, target.Build(t, release, w.flags...))
				finder := goproc.NewFinder(goproc.Selection{PIDs: []int{program.PID()}}, nil)
				found, err := finder.Scan()
				if err != nil || len(found) != 1 {
					t.Fatalf("found %v, %v", found, err)
				}
				if found[0].Refused != nil {
					t.Fatal(found[0].Refused)
				}
				compare(t, written, "amd64", release, w, lacking(found[0].Binary, found[0]))
			})
		}
	}
	writeVersions(t, written)
}

// The same is read of arm64 binaries, which do not run here.
func TestEveryGoReleaseIsReadForARM64(t *testing.T) {
	written := versionLines(t)
	for _, release := range releases {
		for _, w := range ways[:3] {
			if os.Getenv(fullMatrix) == "" && (release != releases[len(releases)-1] || !w.often) {
				continue
			}
			t.Run(release+" "+w.name, func(t *testing.T) {
				b, err := goproc.ReadBinary(target.Build(t, release, append([]string{"GOARCH=arm64"}, w.flags...)...))
				if err != nil {
					t.Fatal(err)
				}
				compare(t, written, "arm64", release, w, lacking(b, nil))
			})
		}
	}
	writeVersions(t, written)
}

// lacking says which points a binary can't have, and why. Of a process, the code
// in memory must be that of the file.
func lacking(b *goproc.Binary, p *goproc.Process) []string {
	var reasons []string
	points := map[string][]string{} // by reason
	for _, point := range Catalogue {
		if err := canAttach(b, p, point); err != nil {
			reason := firstLine(err)
			if points[reason] == nil {
				reasons = append(reasons, reason)
			}
			points[reason] = append(points[reason], "`"+point.Name+"`")
		}
	}
	for i, reason := range reasons {
		reasons[i] = strings.Join(points[reason], ", ") + " (" + reason + ")"
	}
	return reasons
}

func canAttach(b *goproc.Binary, p *goproc.Process, point Point) error {
	if point.needs != nil {
		if err := point.needs(b); err != nil {
			return err
		}
	}
	for _, probe := range point.Probes {
		sites, err := probe.sites(b)
		if err != nil {
			return err
		}
		for _, s := range sites {
			if p != nil {
				if err := p.CheckCode(s); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// firstLine is the first line of an error, as a cell of a table can hold it.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.ReplaceAll(line, "|", "/")
}

func lineKey(arch, release string, w way) string {
	minor, _, _ := strings.Cut(strings.TrimPrefix(release, "go1."), ".")
	return fmt.Sprintf("| %s | 1.%s | %s |", arch, minor, w.name)
}

// compare fails when the document says otherwise.
func compare(t *testing.T, written map[string]string, arch, release string, w way, lacking []string) {
	t.Helper()
	says := " all |"
	if len(lacking) > 0 {
		says = " all but " + strings.Join(lacking, "; ") + " |"
	}
	key := lineKey(arch, release, w)
	if *update {
		written[key] = says
		return
	}
	if written[key] != says {
		t.Errorf("%s says of %s\n%q, in truth it is\n%q\n(go test ./bpf-agent/probe -run EveryGoRelease -update)", versionsDoc, key, written[key], says)
	}
}

// versionLines are the lines of the document, by what they are about.
func versionLines(t *testing.T) map[string]string {
	t.Helper()
	lines := map[string]string{}
	content, err := os.ReadFile(versionsDoc)
	if err != nil && !(*update && errors.Is(err, os.ErrNotExist)) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		for _, arch := range []string{"amd64", "arm64"} {
			for _, release := range releases {
				for _, w := range ways {
					if says, ok := strings.CutPrefix(line, lineKey(arch, release, w)); ok {
						lines[lineKey(arch, release, w)] = strings.TrimSuffix(says, "\n")
					}
				}
			}
		}
	}
	return lines
}

// writeVersions writes the document anew when that is asked for.
func writeVersions(t *testing.T, lines map[string]string) {
	t.Helper()
	if !*update {
		return
	}
	var b strings.Builder
	b.WriteString(versionsHead)
	for _, arch := range []string{"amd64", "arm64"} {
		for _, release := range releases {
			for _, w := range ways {
				if says, ok := lines[lineKey(arch, release, w)]; ok {
					b.WriteString(lineKey(arch, release, w) + says + "\n")
				}
			}
		}
	}
	if err := os.WriteFile(versionsDoc, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

const versionsHead = `# Go releases that can be watched

Made by the tests of bpf-agent/probe (EveryGoRelease). For amd64 each line is a program that was built and run: its
process was found, each measurement point was resolved to places in its code, and the code in memory was compared with
the file. Binaries for arm64 are read in the same way, without being run: an agent watches processes of its own
architecture. Any other release is refused with the reason, and so is a binary whose own witnesses disagree (type
descriptors, function table, machine code, symbol table).

| GOARCH | Go | built | measurement points that can be taken |
|---|---|---|---|
`
