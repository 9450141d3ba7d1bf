package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cavaliergopher/cpio"

	"github.com/gotherm/gotherm/bpf-agent/internal/target"
)

// job is a program that the machine runs, and how.
type job struct {
	Name string   `json:"name"`
	Argv []string `json:"argv"`
}

// suites are the packages whose tests are run, and which: those that depend on
// the kernel, and few, for on an emulated CPU its verifier takes seconds to let
// the programs in, in each test anew.
var suites = []struct{ pkg, tests string }{
	{"bpf", "Bucket"},
	{"probe", "Lacks"},
	{"ingest", "SplitByNode|PausesAreThose|LatenciesAreThose|WhileTheRingIsRead|PointsAreOf|KilledAgent"},
}

// module is the path of this repository's Go module.
const module = "github.com/gotherm/gotherm"

// jobsFile is where /init finds what to run.
const jobsFile = "jobs.json"

// targets is where tests find the program to watch, by target.Made.
const targets = "targets"

// makeImage builds what the machine runs, and packs it as an initramfs.
func makeImage(ctx context.Context, dir, only string) (string, error) {
	root := filepath.Join(dir, "root")
	for _, d := range []string{"dev", "proc", "sys", "tmp", "etc", targets} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return "", fmt.Errorf("make the image: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "etc/passwd"), []byte("root:x:0:0::/:\nnobody:x:65534:65534::/:\n"), 0o644); err != nil {
		return "", fmt.Errorf("make the image: %w", err)
	}
	jobs := []job{{Name: "doctor", Argv: []string{"/gotherm-agent", "doctor"}}}
	if err := compile(ctx, filepath.Join(root, "init"), "build", module+"/bpf-agent/internal/vm"); err != nil {
		return "", err
	}
	if err := compile(ctx, filepath.Join(root, "gotherm-agent"), "build", module+"/bpf-agent"); err != nil {
		return "", err
	}
	for _, s := range suites {
		name := s.pkg + ".test"
		if err := compile(ctx, filepath.Join(root, name), "test", module+"/bpf-agent/"+s.pkg, "-c"); err != nil {
			return "", err
		}
		tests := s.tests
		if only != "" {
			tests = only
		}
		jobs = append(jobs, job{Name: s.pkg, Argv: []string{"/" + name, "-test.v=test2json", "-test.short", "-test.run", tests}})
	}
	for _, flags := range [][]string{nil, {"-ldflags=-s -w"}} {
		if err := target.Compile(filepath.Join(root, targets, target.MadeName("", flags...)), flags...); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(jobs)
	if err != nil {
		return "", fmt.Errorf("make the image: %w", err)
	}
	if err := os.WriteFile(filepath.Join(root, jobsFile), list, 0o644); err != nil {
		return "", fmt.Errorf("make the image: %w", err)
	}
	image := filepath.Join(dir, "initramfs")
	if err := pack(root, image); err != nil {
		return "", fmt.Errorf("pack the image: %w", err)
	}
	return image, nil
}

// compile builds a package, statically.
func compile(ctx context.Context, path, command, pkg string, flags ...string) error {
	args := append([]string{command, "-ldflags=-s -w", "-o", path}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// pack writes a directory as the kernel unpacks it: a cpio archive, not
// compressed, for that takes an emulated CPU long to undo.
func pack(root, image string) (err error) {
	file, err := os.Create(image)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffered := bufio.NewWriterSize(file, 1<<20)
	archive := cpio.NewWriter(buffered)
	err = filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		return add(archive, path, strings.TrimPrefix(path, root+"/"), entry)
	})
	return errors.Join(err, archive.Close(), buffered.Flush())
}

func add(archive *cpio.Writer, path, name string, entry os.DirEntry) error {
	if entry.IsDir() {
		return archive.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeDir | 0o755, Links: 2})
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	header := &cpio.Header{Name: name, Mode: cpio.TypeReg | cpio.FileMode(info.Mode().Perm()), Size: info.Size()}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(archive, from)
	return err
}
