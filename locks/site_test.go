package locks

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

//go:noinline
func waitsLong(rw *RWMutex) { rw.Lock(); rw.Unlock() }

//go:noinline
func waitsBriefly(rw *RWMutex) { rw.RLock(); rw.RUnlock() }

type badWriter struct{}

func (badWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

// TestSampledSumsDoNotOverflow: one sample may stand for any number of waits.
func TestSampledSumsDoNotOverflow(t *testing.T) {
	var s site
	s.add(3, time.Second)
	require.Equal(t, site{samples: 1, scale: 3, total: 3 * time.Second, max: time.Second}, s)
	s.add(math.MaxInt64, time.Hour)
	require.EqualValues(t, int64(math.MaxInt64), s.total)
	s.add(math.MaxInt64, time.Hour)
	s.add(math.MaxInt64, time.Hour)
	require.EqualValues(t, int64(math.MaxInt64), s.total)
	require.EqualValues(t, uint64(math.MaxUint64), s.scale)
	s.add(1, -1)
	require.Equal(t, time.Hour, s.max)
}

func TestWriteContention(t *testing.T) {
	ResetContention()
	defer ResetContention()
	contend := func(rw *RWMutex, f func(*RWMutex), d time.Duration) {
		rw.Lock()
		done := make(chan struct{})
		go func() { f(rw); close(done) }()
		waitFor(t, "the waiter", func() bool { return rw.Stats().Waiting == 1 })
		for start := time.Now(); time.Since(start) < d; {
		}
		rw.Unlock()
		<-done
	}
	var named, quiet RWMutex
	named.SetOptions(RWOptions{Name: "registry", SiteSampling: 1})
	contend(&quiet, waitsLong, 0)
	contend(&named, waitsBriefly, 0)
	contend(&named, waitsLong, 20*time.Millisecond)

	var b strings.Builder
	require.NoError(t, WriteContention(&b))
	t.Log("\n" + b.String())
	lines := strings.Split(b.String(), "\n")
	require.Contains(t, lines[0], "WAITED")
	require.Contains(t, lines[1], "registry")
	require.Contains(t, lines[1], "locks.waitsLong", "the most waited for first, from its caller on")
	require.Contains(t, b.String(), "locks.waitsBriefly")
	require.Equal(t, 2, strings.Count(b.String(), "registry"), "only locks that opted in")
	require.ErrorContains(t, WriteContention(badWriter{}), "full")
}
