package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/internal/target"
)

// mark begins each line that /init itself says, so that it can be told from what
// its jobs say, and from the kernel.
const mark = "\x1egotherm-vm "

// beInit is the first process of the machine: it runs the jobs, says how each
// ended, and switches the machine off.
func beInit() {
	if err := runJobs(); err != nil {
		say("error %v", err)
	} else {
		say("done")
	}
	unix.Sync()
	err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	say("error switch off: %v", err)
	select {}
}

func say(format string, args ...any) { fmt.Printf("\n"+mark+format+"\n", args...) }

func runJobs() error {
	for _, m := range []struct{ kind, at string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"cgroup2", "/sys/fs/cgroup"}, {"tmpfs", "/tmp"},
	} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	if err := os.Chmod("/tmp", 0o777|os.ModeSticky); err != nil {
		return fmt.Errorf("open /tmp to all: %w", err)
	}
	if err := raiseLoopback(); err != nil {
		return err
	}
	nodes, err := filepath.Glob("/sys/devices/system/node/node[0-9]*")
	if err != nil {
		return err
	}
	var kernel unix.Utsname
	if err := unix.Uname(&kernel); err != nil {
		return fmt.Errorf("ask for the kernel's release: %w", err)
	}
	say("machine %s %d", unix.ByteSliceToString(kernel.Release[:]), len(nodes))
	text, err := os.ReadFile("/" + jobsFile)
	if err != nil {
		return err
	}
	var jobs []job
	if err := json.Unmarshal(text, &jobs); err != nil {
		return fmt.Errorf("read %s: %w", jobsFile, err)
	}
	for _, j := range jobs {
		say("begin %s", j.Name)
		cmd := exec.Command(j.Argv[0], j.Argv[1:]...)
		cmd.Dir = "/tmp"
		cmd.Env = []string{"HOME=/tmp", "PATH=/", target.Made + "=/" + targets}
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
		err := cmd.Run()
		if cmd.ProcessState == nil {
			return fmt.Errorf("run %s: %w", j.Name, err)
		}
		say("end %s %d", j.Name, cmd.ProcessState.ExitCode())
	}
	return nil
}

// raiseLoopback does what "ip link set lo up" does.
func raiseLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("raise the loopback interface: %w", err)
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("raise the loopback interface: %w", err)
	}
	if err := unix.IoctlIfreq(socket, unix.SIOCGIFFLAGS, request); err != nil {
		return fmt.Errorf("raise the loopback interface: %w", err)
	}
	request.SetUint16(request.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("raise the loopback interface: %w", err)
	}
	return nil
}
