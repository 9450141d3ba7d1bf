package collect

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Profile is one that was collected, without its bytes.
type Profile struct {
	// ID is given by the store, in order of keeping.
	ID uint64 `json:"-"`
	// Process, service and version are as heat has them.
	Process string `json:"process"`
	Service string `json:"service"`
	Version string `json:"version"`
	// Type is that of [profile.Request].
	Type string `json:"type"`
	// From and To are what it covers; those of a snapshot are when it was asked for, and had come.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Bytes is its size, CRC the check sum of it.
	Bytes int    `json:"bytes"`
	CRC   uint32 `json:"crc"`
}

// Retention is how much a store keeps: the newest, by all three.
type Retention struct {
	Age   time.Duration
	Bytes int
	Count int
}

// Store keeps profiles in a file, which one process may have open at a time:
//
//	about  number ─▶ Profile as JSON
//	raw    number ─▶ the profile, as it came
//
// Each is put and dropped in one transaction, so a crash loses at most what was
// not put yet. What is in about is in memory as well. The file does not shrink:
// the room of what was dropped is used again.
type Store struct {
	db   *bbolt.DB
	keep Retention

	mu    sync.Mutex
	list  []Profile // by ID
	bytes int
	// dropped counts what was kept and had to go.
	dropped uint64
}

var (
	aboutBucket = []byte("about")
	rawBucket   = []byte("raw")
)

// OpenStore opens the store in a file, and makes it where there is none. What
// is no store, or a torn one, is set aside as FILE.torn, and said in torn. A
// path that is empty is a file that is gone when the store is closed, or when
// the process ends, however it does.
func OpenStore(path string, keep Retention) (s *Store, torn error, err error) {
	if path == "" {
		s, err := openTemporary(keep)
		return s, nil, err
	}
	s, err = open(path, keep)
	if err == nil || errors.Is(err, berrors.ErrTimeout) || errors.As(err, new(*os.PathError)) {
		return s, nil, err
	}
	torn = fmt.Errorf("%w: it is set aside as %s.torn", err, path)
	if err := os.Rename(path, path+".torn"); err != nil {
		return nil, nil, fmt.Errorf("set aside the torn file of profiles: %w", err)
	}
	s, err = open(path, keep)
	return s, torn, err
}

func openTemporary(keep Retention) (*Store, error) {
	dir, err := os.MkdirTemp("", "gotherm-profiles-")
	if err != nil {
		return nil, fmt.Errorf("make a file for profiles: %w", err)
	}
	// The open file stays until it is closed.
	defer os.RemoveAll(dir)
	s, err := open(filepath.Join(dir, "profiles.db"), keep)
	if s != nil {
		s.db.NoSync = true // nobody opens it again
	}
	return s, err
}

// lockWait is how long to wait for who has the file open.
const lockWait = time.Second

func open(path string, keep Retention) (s *Store, err error) {
	s = &Store{keep: keep}
	// A torn file makes bbolt panic, or points past its end.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read %s, which holds profiles: it is torn: %v", path, p)
		}
		if err != nil {
			// Closing what is torn may panic as well; the new file must not wait for it.
			defer func() { _ = recover() }()
			if s.db != nil {
				_ = s.db.Close()
			}
			s = nil
		}
	}()
	s.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockWait, FreelistType: bbolt.FreelistMapType,
	})
	if errors.Is(err, berrors.ErrTimeout) {
		return s, fmt.Errorf("open %s, which holds profiles: another process has it open, and only one may: %w", path, err)
	}
	if err != nil {
		return s, fmt.Errorf("open %s, which holds profiles: %w", path, err)
	}
	if err := s.db.Update(s.load); err != nil {
		return s, fmt.Errorf("read %s, which holds profiles: %w", path, err)
	}
	return s, nil
}

// load reads what there is, all of it, so that what is torn is found now.
func (s *Store) load(tx *bbolt.Tx) error {
	about, err := tx.CreateBucketIfNotExists(aboutBucket)
	if err != nil {
		return err
	}
	raw, err := tx.CreateBucketIfNotExists(rawBucket)
	if err != nil {
		return err
	}
	return about.ForEach(func(key, value []byte) error {
		var p Profile
		if len(key) != 8 {
			return fmt.Errorf("it is torn: a key has %d bytes, must have 8", len(key))
		}
		if err := json.Unmarshal(value, &p); err != nil {
			return fmt.Errorf("it is torn: %w", err)
		}
		p.ID = binary.BigEndian.Uint64(key)
		if err := p.check(raw.Get(key)); err != nil {
			return err
		}
		s.list, s.bytes = append(s.list, p), s.bytes+p.Bytes
		return nil
	})
}

func (p Profile) check(raw []byte) error {
	if len(raw) != p.Bytes || crc32.ChecksumIEEE(raw) != p.CRC {
		return fmt.Errorf("it is torn: profile %d is not what was put there", p.ID)
	}
	return nil
}

func key(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

// Put keeps a profile, and drops what is too old or too much, the oldest first.
func (s *Store) Put(p Profile, raw []byte) (Profile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Bytes, p.CRC = len(raw), crc32.ChecksumIEEE(raw)
	if p.Bytes > s.keep.Bytes {
		return p, fmt.Errorf("keep profile: it has %d bytes, at most %d are kept of all together", p.Bytes, s.keep.Bytes)
	}
	drop := s.excess(p.To, p.Bytes, 1)
	err := s.db.Update(func(tx *bbolt.Tx) (err error) {
		if p.ID, err = tx.Bucket(aboutBucket).NextSequence(); err != nil {
			return err
		}
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if err := s.delete(tx, drop); err != nil {
			return err
		}
		return errors.Join(tx.Bucket(aboutBucket).Put(key(p.ID), text), tx.Bucket(rawBucket).Put(key(p.ID), raw))
	})
	if err != nil {
		return p, fmt.Errorf("keep profile: %w", err)
	}
	s.forget(drop)
	s.list, s.bytes = append(s.list, p), s.bytes+p.Bytes
	return p, nil
}

// Expire drops what is too old.
func (s *Store) Expire(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	drop := s.excess(now, 0, 0)
	if drop == 0 {
		return nil
	}
	if err := s.db.Update(func(tx *bbolt.Tx) error { return s.delete(tx, drop) }); err != nil {
		return fmt.Errorf("drop old profiles: %w", err)
	}
	s.forget(drop)
	return nil
}

// excess is how many of the oldest must go for some that come.
func (s *Store) excess(now time.Time, bytes, count int) (drop int) {
	left := s.bytes
	for _, p := range s.list {
		if left+bytes <= s.keep.Bytes && len(s.list)-drop+count <= s.keep.Count && now.Sub(p.To) <= s.keep.Age {
			break
		}
		drop++
		left -= p.Bytes
	}
	return drop
}

func (s *Store) delete(tx *bbolt.Tx, oldest int) error {
	for _, p := range s.list[:oldest] {
		if err := errors.Join(tx.Bucket(aboutBucket).Delete(key(p.ID)), tx.Bucket(rawBucket).Delete(key(p.ID))); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) forget(oldest int) {
	for _, p := range s.list[:oldest] {
		s.bytes -= p.Bytes
	}
	s.list = slices.Delete(s.list, 0, oldest)
	s.dropped += uint64(oldest)
}

// List returns what is kept and wanted, the oldest first.
func (s *Store) List(wanted func(Profile) bool) (list []Profile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.list {
		if wanted(p) {
			list = append(list, p)
		}
	}
	return list
}

// ErrGone is the error for a profile that is not kept, or not any more.
var ErrGone = errors.New("is not kept, or not any more")

// Get returns a profile that is kept.
func (s *Store) Get(id uint64) (p Profile, raw []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, found := slices.BinarySearchFunc(s.list, id, func(p Profile, id uint64) int {
		switch {
		case p.ID < id:
			return -1
		case p.ID > id:
			return 1
		}
		return 0
	})
	if !found {
		return p, nil, fmt.Errorf("profile %s %w", strconv.FormatUint(id, 10), ErrGone)
	}
	p = s.list[at]
	err = s.db.View(func(tx *bbolt.Tx) error {
		raw = slices.Clone(tx.Bucket(rawBucket).Get(key(id)))
		return p.check(raw)
	})
	if err != nil {
		return p, nil, fmt.Errorf("read profile %d: %w", id, err)
	}
	return p, raw, nil
}

// Holding is how much is kept, and how many had to go.
func (s *Store) Holding() (profiles, bytes int, dropped uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.list), s.bytes, s.dropped
}

// Close closes the file.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the file of profiles: %w", err)
	}
	return nil
}
