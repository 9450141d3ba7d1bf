package probe

import (
	"os"

	"golang.org/x/sys/unix"
)

// exitWatch calls back as soon as a process has ended, by a pidfd. The finder
// notices as well, but later: meanwhile the pid could become another process's.
type exitWatch struct{ file *os.File }

// watchExit returns nil when the kernel has no pidfd, or when the process is gone.
func watchExit(pid int, ended func()) *exitWatch {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil
	}
	w := &exitWatch{os.NewFile(uintptr(fd), "pidfd")}
	go func() {
		defer w.file.Close()
		conn, err := w.file.SyscallConn()
		if err != nil {
			return
		}
		// The runtime's poller waits; this only asks whether it was woken for the exit.
		exited := false
		err = conn.Read(func(fd uintptr) bool {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			exited = err == nil && n > 0
			return exited
		})
		if err == nil && exited {
			ended()
		}
	}()
	return w
}

func (w *exitWatch) stop() {
	if w != nil {
		w.file.Close()
	}
}
