package goproc

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Function is the name of the function that holds an address in the memory of
// the process: "" when none does, or when it can't be told any more. The name
// of one that was not asked for before is read from the file, by way of this
// process or, when it has ended, by the path that it ran, if that is still the
// same file.
func (p *Process) Function(pc uint64) string {
	linked := pc - p.LoadBias
	if name, known := p.Binary.Functions.remembered(linked); known {
		return name
	}
	for _, path := range []string{procPath(p.PID, "exe"), p.Executable} {
		if name, err := p.Binary.functionIn(path, linked); err == nil {
			return name
		}
	}
	return ""
}

// functionIn reads the name of the function that holds a linked address.
func (b *Binary) functionIn(path string, pc uint64) (string, error) {
	f, err := openExecutable(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := b.isIn(f); err != nil {
		return "", err
	}
	return b.Functions.name(f, pc)
}

// isIn says whether a file is the one that the binary was read from: by its
// place, and by what it has where the build id was.
func (b *Binary) isIn(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if st.Dev != b.ID.Device || st.Ino != b.ID.Inode {
		return errors.New("another file has taken the place of the executable")
	}
	id := make([]byte, len(b.ID.BuildID))
	if _, err := f.ReadAt(id, b.buildIDAt); err != nil && !(errors.Is(err, io.EOF) && len(id) == 0) {
		return fmt.Errorf("reading the build id: %w", err)
	}
	if clean(string(id)) != b.ID.BuildID {
		return fmt.Errorf("the file has build id %q, had %q", clean(string(id)), b.ID.BuildID)
	}
	return nil
}
