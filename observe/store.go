package observe

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// CaptureFile is a file that [Captures] wrote.
type CaptureFile struct {
	Name string    `json:"name"`  // such as 20260102T150405.000-0001-queue_wait.cpu.pprof
	Size int64     `json:"bytes"` // its length
	At   time.Time `json:"at"`    // when it was complete
}

// store is a directory that holds a bounded number of files. A file is written under
// a name that begins with "tmp-" and renamed when it is complete.
type store struct {
	dir      string
	maxFiles int
	maxBytes int64
	count    atomic.Uint32 // tells captures of one millisecond apart

	create func(name string) (io.WriteCloser, error) // os.OpenFile; tests have disks that are full
}

const (
	unfinished = "tmp-"
	stampForm  = "20060102T150405.000"
)

func openStore(dir string, maxFiles int, maxBytes int64) (*store, error) {
	s := &store{dir: dir, maxFiles: maxFiles, maxBytes: maxBytes, create: createFile}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("observe: directory of captures: %w", err)
	}
	// Writing is the only way to know that one can.
	probe, err := os.CreateTemp(dir, unfinished)
	if err != nil {
		return nil, fmt.Errorf("observe: directory of captures: %w", err)
	}
	if err := probe.Close(); err != nil {
		return nil, fmt.Errorf("observe: directory of captures: %w", err)
	}
	old, err := filepath.Glob(filepath.Join(dir, unfinished+"*")) // of a crash, and the probe
	if err != nil {
		return nil, fmt.Errorf("observe: directory of captures: %w", err)
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return nil, fmt.Errorf("observe: directory of captures: %w", err)
		}
	}
	return s, nil
}

func createFile(name string) (io.WriteCloser, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
}

// stem returns what the names of a capture's files begin with.
func (s *store) stem(why string, at time.Time) string {
	why = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, why[:min(len(why), 60)])
	return fmt.Sprintf("%s-%04d-%s", at.UTC().Format(stampForm), s.count.Add(1)%10_000, why)
}

// write makes one file and returns its path. What cannot be written whole is removed.
func (s *store) write(stem string, p Profile, fill func(io.Writer) error) (file string, err error) {
	name := stem + "." + string(p) + ".pprof"
	if p == FlightRecording {
		name = stem + ".trace"
	}
	tmp, final := filepath.Join(s.dir, unfinished+name), filepath.Join(s.dir, name)
	f, err := s.create(tmp)
	if err != nil {
		return "", err
	}
	w := &limited{w: f, left: s.maxBytes}
	err = fill(w)
	// pprof forgets what its writer says.
	if err = cmp.Or(w.err, err, f.Close()); err == nil {
		err = os.Rename(tmp, final)
	}
	if err != nil {
		return "", errors.Join(err, remove(tmp))
	}
	return final, s.prune()
}

func remove(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// limited writes so many bytes, and remembers the first error.
type limited struct {
	w    io.Writer
	left int64
	err  error
}

func (l *limited) Write(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	if l.left -= int64(len(p)); l.left < 0 {
		l.err = ErrTooLarge
		return 0, l.err
	}
	n, err := l.w.Write(p)
	l.err = err
	return n, err
}

// isCapture says whether a name is one that stem and write make.
func isCapture(name string) bool {
	stamp, rest, ok := strings.Cut(name, "-")
	if !ok || !strings.HasSuffix(rest, ".pprof") && !strings.HasSuffix(rest, ".trace") || strings.ContainsAny(name, `/\`) {
		return false
	}
	_, err := time.Parse(stampForm, stamp)
	return err == nil
}

// list returns the captures, the newest first.
func (s *store) list() ([]CaptureFile, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("observe: directory of captures: %w", err)
	}
	var files []CaptureFile
	for _, e := range entries {
		if !isCapture(e.Name()) {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue // gone meanwhile, or not ours
		}
		files = append(files, CaptureFile{e.Name(), info.Size(), info.ModTime()})
	}
	slices.SortFunc(files, func(a, b CaptureFile) int { return cmp.Compare(b.Name, a.Name) })
	return files, nil
}

// prune removes the oldest captures beyond the limits. The newest is within them: write
// saw to that.
func (s *store) prune() error {
	files, err := s.list()
	if err != nil {
		return err
	}
	var bytes int64
	for i, f := range files {
		bytes += f.Size
		if i >= s.maxFiles || bytes > s.maxBytes {
			err = errors.Join(err, remove(filepath.Join(s.dir, f.Name)))
		}
	}
	return err
}

func (s *store) open(name string) (*os.File, error) {
	if !isCapture(name) {
		return nil, fmt.Errorf("observe: %q: %w", name, fs.ErrNotExist)
	}
	return os.Open(filepath.Join(s.dir, name))
}
