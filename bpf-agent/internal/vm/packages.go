package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// release of Linux that is wanted, as Debian's packages are named.
const release = "linux-image-6.1."

// machine is an emulator and a kernel to boot in it.
type machine struct {
	emulator []string // its command
	env      []string
	kernel   string
}

// getMachine takes the emulator that is installed, or else unpacks one, and the
// kernel, into a directory where they stay.
func getMachine(ctx context.Context, dir string) (*machine, error) {
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	kernel, err := kernelPackage(ctx)
	if err != nil {
		return nil, &missingError{"Debian's Linux 6.1", err}
	}
	root := filepath.Join(dir, kernel)
	m := &machine{kernel: filepath.Join(root, "boot", "vmlinuz-"+strings.TrimPrefix(kernel, "linux-image-"))}
	if _, err := os.Stat(m.kernel); err != nil {
		if err := unpack(ctx, dir, root, "boot/vmlinuz", func(debs string) *exec.Cmd {
			cmd := exec.CommandContext(ctx, "apt-get", "-qq", "download", kernel)
			cmd.Dir = debs
			return cmd
		}); err != nil {
			return nil, &missingError{"package " + kernel, err}
		}
	}
	if path, err := exec.LookPath("qemu-system-x86_64"); err == nil {
		m.emulator = []string{path}
		return m, nil
	}
	root = filepath.Join(dir, "qemu")
	path := filepath.Join(root, "usr/bin/qemu-system-x86_64")
	if _, err := os.Stat(path); err != nil {
		if err := unpack(ctx, dir, root, "", func(debs string) *exec.Cmd {
			// What it would take to install it here; nothing is changed, so
			// there is nothing to lock.
			return exec.CommandContext(ctx, "apt-get", "-qq", "-y", "-o", "Debug::NoLocking=1", "-o", "Dir::Cache::archives="+debs,
				"--download-only", "--no-install-recommends", "install", "qemu-system-x86")
		}); err != nil {
			return nil, &missingError{"package qemu-system-x86", err}
		}
	}
	m.emulator = []string{path, "-L", filepath.Join(root, "usr/share/qemu"), "-L", filepath.Join(root, "usr/share/seabios")}
	libraries := []string{filepath.Join(root, "usr/lib/x86_64-linux-gnu"), filepath.Join(root, "lib/x86_64-linux-gnu")}
	m.env = []string{"LD_LIBRARY_PATH=" + strings.Join(libraries, ":")}
	return m, nil
}

// kernelPackage is the package that linux-image-amd64 stands for.
func kernelPackage(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-cache", "depends", "--important", "linux-image-amd64").Output()
	if err != nil {
		return "", fmt.Errorf("ask apt for it: %w", err)
	}
	for word := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(word, release) {
			return word, nil
		}
	}
	return "", errors.New("this Debian has another, or no package lists: apt-get update")
}

// unpack gets packages and unpacks those files of them whose path begins with
// one, into a directory that is there only when it is whole.
func unpack(ctx context.Context, dir, root, only string, get func(debs string) *exec.Cmd) error {
	fmt.Println("getting", filepath.Base(root))
	work, err := os.MkdirTemp(dir, "unpack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	debs, files := filepath.Join(work, "debs"), filepath.Join(work, "files")
	if err := errors.Join(os.MkdirAll(filepath.Join(debs, "partial"), 0o755), os.Mkdir(files, 0o755)); err != nil {
		return err
	}
	if out, err := get(debs).CombinedOutput(); err != nil {
		return fmt.Errorf("download: %w\n%s", err, out)
	}
	got, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	if len(got) == 0 {
		return errors.New("apt-get downloaded nothing")
	}
	for _, deb := range got {
		cmd := exec.CommandContext(ctx, "dpkg-deb", "--extract", deb, files)
		if only != "" {
			cmd = exec.CommandContext(ctx, "sh", "-c", `dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --wildcards "./$3*"`, "sh", deb, files, only)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("unpack %s: %w\n%s", filepath.Base(deb), err, out)
		}
	}
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	return os.Rename(files, root)
}
