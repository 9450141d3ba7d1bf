package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// boot runs the machine until it switches itself off, and reads its console.
func (m *machine) boot(ctx context.Context, image string) error {
	args := append(m.emulator[1:],
		"-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "4", "-m", "3G",
		// Two nodes, with two CPUs and half of the memory each.
		"-object", "memory-backend-ram,id=m0,size=1536M", "-object", "memory-backend-ram,id=m1,size=1536M",
		"-numa", "node,cpus=0-1,memdev=m0", "-numa", "node,cpus=2-3,memdev=m1",
		"-kernel", m.kernel, "-initrd", image,
		"-append", "console=ttyS0 quiet panic=-1 numa_balancing=1",
		"-nic", "none", "-nographic", "-no-reboot")
	emulator := exec.CommandContext(ctx, m.emulator[0], args...)
	emulator.Env = append(os.Environ(), m.env...)
	var said tail
	emulator.Stderr = &said
	console, err := emulator.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start the emulator: %w", err)
	}
	if err := emulator.Start(); err != nil {
		return fmt.Errorf("start the emulator: %w", err)
	}
	verdict := readConsole(console, os.Stdout)
	_, _ = io.Copy(io.Discard, console)
	if err := emulator.Wait(); err != nil {
		return errors.Join(fmt.Errorf("the emulator: %w\n%s", err, said), verdict)
	}
	return verdict
}

// tail keeps the end of what is written.
type tail []byte

func (t *tail) Write(b []byte) (int, error) {
	*t = append(*t, b...)
	*t = (*t)[max(0, len(*t)-4096):]
	return len(b), nil
}
