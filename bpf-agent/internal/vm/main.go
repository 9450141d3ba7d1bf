// Vm runs tests of the agent on another kernel and another machine: Debian's
// Linux 6.1, which has no uprobe_multi and lacks some tracepoints, on four CPUs
// in two NUMA nodes. The machine is QEMU's, without hardware virtualization; it
// has no disk and no network, only an initramfs whose /init is this same program.
//
//	go run ./bpf-agent/internal/vm
//
// The packages come from Debian, by apt-get, and are unpacked in the user's
// cache directory; nothing is installed. It ends with 1 when a test fails, or
// is skipped for another reason than that this machine can't have what it needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if os.Getpid() == 1 {
		beInit()
		return
	}
	limit := flag.Duration("timeout", 15*time.Minute, "longest time that the machine may run")
	only := flag.String("run", "", "run only tests that match, of all packages")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	err := run(ctx, *limit, *only)
	if missing, ok := errors.AsType[*missingError](err); ok {
		fmt.Println("cannot run here:", missing)
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
}

// missingError says that this machine can't have what a virtual one is made of.
type missingError struct {
	what string
	err  error
}

func (e *missingError) Error() string { return e.what + ": " + e.err.Error() }
func (e *missingError) Unwrap() error { return e.err }

func run(ctx context.Context, limit time.Duration, only string) error {
	begun := time.Now()
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	m, err := getMachine(ctx, cache)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gotherm-vm-")
	if err != nil {
		return fmt.Errorf("make a directory for the machine: %w", err)
	}
	defer os.RemoveAll(dir)
	image, err := makeImage(ctx, dir, only)
	if err != nil {
		return err
	}
	fmt.Printf("vm_prepare_s %.0f\n", time.Since(begun).Seconds())
	begun = time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = m.boot(ctx, image)
	if ctx.Err() != nil {
		err = errors.Join(fmt.Errorf("the machine did not end in %s", limit), err)
	}
	fmt.Printf("vm_run_s %.0f\n", time.Since(begun).Seconds())
	return err
}

// cacheDir is where packages are kept unpacked from one run to the next.
func cacheDir() (string, error) {
	parent, err := os.UserCacheDir()
	if err != nil { // no HOME: for this run only, and for those of this user
		parent = filepath.Join(os.TempDir(), fmt.Sprint("gotherm-", os.Getuid()))
	}
	dir := filepath.Join(parent, "gotherm", "vm")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache directory: %w", err)
	}
	return dir, nil
}

// lock lets one process at a time change a directory.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
	}
	return func() { f.Close() }, nil
}
