package observe_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

func captures(t *testing.T, cfg observe.CapturesConfig) *observe.Captures {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Duration == 0 {
		cfg.Duration = time.Millisecond
	}
	c, err := observe.NewCaptures(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func names(t *testing.T, dir string) (ns []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		ns = append(ns, e.Name())
	}
	return ns
}

func TestEveryProfileIsWritten(t *testing.T) {
	c := captures(t, observe.CapturesConfig{Flight: time.Second})
	files, err := c.Take(t.Context(), `queue "wait"/../x`)
	require.NoError(t, err)
	require.Len(t, files, len(observe.Profiles()))
	for i, p := range observe.Profiles() {
		text, err := os.ReadFile(files[i])
		require.NoError(t, err)
		if p == observe.FlightRecording {
			require.True(t, strings.HasSuffix(files[i], "-queue__wait_____x.trace"), files[i])
			require.True(t, bytes.HasPrefix(text, []byte("go 1.")))
			continue
		}
		require.True(t, strings.HasSuffix(files[i], "."+string(p)+".pprof"), files[i])
		zipped, err := gzip.NewReader(bytes.NewReader(text))
		require.NoError(t, err, p)
		_, err = io.Copy(io.Discard, zipped)
		require.NoError(t, err, p)
	}
	list, err := c.List()
	require.NoError(t, err)
	require.Len(t, list, len(files))
	f, err := c.Open(list[0].Name)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	st := c.Status()
	require.False(t, st.Running)
	require.Equal(t, files, st.Files)
	require.False(t, st.Until.Before(st.Since))
}

func TestTheDirectoryStaysSmall(t *testing.T) {
	dir := t.TempDir()
	for _, other := range []string{"notes.txt", "x.pprof", "20260102T150405.000-.txt"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, other), make([]byte, 1000), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tmp-half"), nil, 0o600))
	c := captures(t, observe.CapturesConfig{Dir: dir, MaxFiles: 3})
	require.Len(t, names(t, dir), 3, "what a crash left is gone")
	var last string
	for range 6 {
		files, err := c.Take(t.Context(), "x", observe.GoroutineProfile)
		require.NoError(t, err)
		last = filepath.Base(files[0])
	}
	list, err := c.List()
	require.NoError(t, err)
	require.Len(t, list, 3)
	require.Equal(t, last, list[0].Name, "the newest is first and stays")
	require.Len(t, names(t, dir), 6, "files of others are not touched")

	size := list[0].Size
	c = captures(t, observe.CapturesConfig{Dir: dir, MaxBytes: 2*size + size/2})
	_, err = c.Take(t.Context(), "x", observe.GoroutineProfile)
	require.NoError(t, err)
	list, err = c.List()
	require.NoError(t, err)
	require.Len(t, list, 2, "by bytes")
}

// What the directory holds is exactly what the limits say, and what they are when nothing
// is said.
func TestTheLimitsAreExact(t *testing.T) {
	for what, c := range map[string]struct {
		cfg  observe.CapturesConfig
		old  int   // files that are there
		size int64 // of each
		want int   // of them that stay
	}{
		"bytes, at the limit":   {observe.CapturesConfig{MaxBytes: 60_000}, 3, 30_000, 2},
		"bytes, above it":       {observe.CapturesConfig{MaxBytes: 60_000}, 3, 30_001, 1},
		"files":                 {observe.CapturesConfig{MaxFiles: 3}, 5, 1, 2},
		"one file":              {observe.CapturesConfig{MaxFiles: 1}, 5, 1, 0},
		"bytes, if none is set": {observe.CapturesConfig{}, 3, 50 << 20, 2},
		"files, if none is set": {observe.CapturesConfig{}, 60, 1, 49},
	} {
		c.cfg.Dir = t.TempDir()
		for i := range c.old {
			name := filepath.Join(c.cfg.Dir, fmt.Sprintf("20260102T150405.000-%04d-old.cpu.pprof", i))
			require.NoError(t, os.WriteFile(name, nil, 0o600))
			require.NoError(t, os.Truncate(name, c.size))
		}
		cs := captures(t, c.cfg)
		cs.SetCreate(func(name string) (io.WriteCloser, error) { // a file of no bytes
			f, err := os.Create(name)
			return struct {
				io.Writer
				io.Closer
			}{io.Discard, f}, err
		})
		files, err := cs.Take(t.Context(), "new", observe.GoroutineProfile)
		require.NoError(t, err, what)
		list, err := cs.List()
		require.NoError(t, err, what)
		require.Equal(t, filepath.Base(files[0]), list[0].Name, what)
		require.Equal(t, c.want, len(list)-1, what)
		for i, f := range list[1:] {
			require.Contains(t, f.Name, fmt.Sprintf("-%04d-old", c.old-1-i), what)
		}
	}
}

func TestACaptureLargerThanEverything(t *testing.T) {
	dir := t.TempDir()
	c := captures(t, observe.CapturesConfig{Dir: dir, MaxBytes: 10})
	files, err := c.Take(t.Context(), "x", observe.HeapProfile, observe.CPUProfile)
	require.ErrorIs(t, err, observe.ErrTooLarge)
	require.Empty(t, files)
	require.Empty(t, names(t, dir), "nothing half written")
	require.Contains(t, c.Status().Error, "heap")
}

// fullDisk is one that fills up after some bytes.
type fullDisk struct {
	*os.File
	left int
}

func (f *fullDisk) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, syscall.ENOSPC
	}
	return f.File.Write(p)
}

func TestAFullDisk(t *testing.T) {
	for _, room := range []int{0, 100} {
		dir := t.TempDir()
		c := captures(t, observe.CapturesConfig{Dir: dir})
		c.SetCreate(func(name string) (io.WriteCloser, error) {
			f, err := os.Create(name)
			return &fullDisk{f, room}, err
		})
		for _, p := range []observe.Profile{observe.CPUProfile, observe.HeapProfile, observe.GoroutineProfile} {
			files, err := c.Take(t.Context(), "x", p)
			require.ErrorIs(t, err, syscall.ENOSPC, p)
			require.Empty(t, files)
			require.Empty(t, names(t, dir))
		}
	}
}

func TestADirectoryThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{file, filepath.Join(file, "sub")} {
		_, err := observe.NewCaptures(observe.CapturesConfig{Dir: dir})
		require.ErrorContains(t, err, "observe: directory of captures: ")
	}
	dir := filepath.Join(t.TempDir(), "gone")
	c := captures(t, observe.CapturesConfig{Dir: dir})
	require.NoError(t, os.RemoveAll(dir))
	_, err := c.Take(t.Context(), "x", observe.HeapProfile)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = c.List()
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestOneCaptureAtATime(t *testing.T) {
	c := captures(t, observe.CapturesConfig{})
	require.NoError(t, c.Start("by hand", time.Hour, observe.CPUProfile))
	st := c.Status()
	require.True(t, st.Running)
	require.Equal(t, "by hand", st.Why)
	require.Zero(t, st.Until)
	require.ErrorIs(t, c.Start("another", 0), observe.ErrBusy)
	_, err := c.Take(t.Context(), "another")
	require.ErrorIs(t, err, observe.ErrBusy)
	require.Equal(t, "by hand", c.Status().Why)
	st = c.Stop()
	require.False(t, st.Running)
	require.Len(t, st.Files, 1)
	require.Equal(t, st, c.Stop(), "again does nothing")
	_, err = c.Take(t.Context(), "another", observe.GoroutineProfile)
	require.NoError(t, err)
}

func TestWhatCannotBeTakenIsAnErrorBesideTheRest(t *testing.T) {
	c := captures(t, observe.CapturesConfig{})
	var other bytes.Buffer
	require.NoError(t, pprof.StartCPUProfile(&other))
	files, err := c.Take(t.Context(), "x", observe.FlightRecording, observe.CPUProfile, observe.HeapProfile, observe.MutexProfile)
	pprof.StopCPUProfile()
	require.ErrorIs(t, err, observe.ErrNoRecorder)
	require.ErrorContains(t, err, "observe: cpu: ")
	require.Len(t, files, 2)
	_, err = c.Take(t.Context(), "x", "gpu")
	require.ErrorContains(t, err, `no profile "gpu"`)
	files, err = c.Take(t.Context(), "x")
	require.NoError(t, err, "all, but for the recorder that was not asked for")
	require.Len(t, files, len(observe.Profiles())-1)
}

func TestATakeIsCutShort(t *testing.T) {
	c := captures(t, observe.CapturesConfig{Duration: time.Hour})
	files, err := c.Take(cancelled(t), "x", observe.CPUProfile, observe.BlockProfile)
	require.NoError(t, err)
	require.Len(t, files, 2)
}

func TestClose(t *testing.T) {
	c, err := observe.NewCaptures(observe.CapturesConfig{Dir: t.TempDir(), Flight: time.Second})
	require.NoError(t, err)
	_, err = observe.NewCaptures(observe.CapturesConfig{Dir: t.TempDir(), Flight: time.Second})
	require.ErrorContains(t, err, "flight recorder", "a program has one")
	require.NoError(t, c.Start("x", time.Hour, observe.CPUProfile))
	require.NoError(t, c.Close())
	require.Len(t, c.Status().Files, 1, "what was being taken is there")
	require.NoError(t, c.Close())
	_, err = c.Take(t.Context(), "x")
	require.ErrorIs(t, err, observe.ErrClosed)
	require.ErrorIs(t, c.Start("x", 0), observe.ErrClosed)
	list, err := c.List()
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func TestOpenKnowsItsOwn(t *testing.T) {
	dir := t.TempDir()
	c := captures(t, observe.CapturesConfig{Dir: dir})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), nil, 0o600))
	for _, name := range []string{"", ".", "..", "secret", "../secret", "20260102T150405.000-../secret.pprof", `20260102T150405.000-\x.pprof`, "20260102T150405.000-none.cpu.pprof"} {
		_, err := c.Open(name)
		require.ErrorIs(t, err, fs.ErrNotExist, name)
	}
}

func TestNewCapturesRefuses(t *testing.T) {
	for says, cfg := range map[string]observe.CapturesConfig{
		"Dir is empty":         {},
		"MaxFiles is negative": {Dir: "x", MaxFiles: -1},
		"MaxBytes is negative": {Dir: "x", MaxBytes: -1},
		"duration":             {Dir: "x", Duration: -1},
		"duration of":          {Dir: "x", Flight: -1},
	} {
		_, err := observe.NewCaptures(cfg)
		require.ErrorContains(t, err, says)
	}
	_, err := os.Stat("x")
	require.True(t, errors.Is(err, fs.ErrNotExist), fmt.Sprint("nothing was made: ", err))
}
