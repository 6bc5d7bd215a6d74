package locks_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

//go:noinline
func waitsLong(rw *locks.RWMutex) { rw.Lock(); rw.Unlock() }

//go:noinline
func waitsBriefly(rw *locks.RWMutex) { rw.RLock(); rw.RUnlock() }

type badWriter struct{}

func (badWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestWriteContention(t *testing.T) {
	locks.ResetContention()
	defer locks.ResetContention()
	contend := func(rw *locks.RWMutex, f func(*locks.RWMutex), d time.Duration) {
		rw.Lock()
		done := make(chan struct{})
		go func() { f(rw); close(done) }()
		waitFor(t, "the waiter", func() bool { return rw.Stats().Waiting == 1 })
		for start := time.Now(); time.Since(start) < d; {
		}
		rw.Unlock()
		<-done
	}
	var named, quiet locks.RWMutex
	named.SetOptions(locks.RWOptions{Name: "registry", SiteSampling: 1})
	contend(&quiet, waitsLong, 0)
	contend(&named, waitsBriefly, 0)
	contend(&named, waitsLong, 20*time.Millisecond)

	var b strings.Builder
	require.NoError(t, locks.WriteContention(&b))
	t.Log("\n" + b.String())
	lines := strings.Split(b.String(), "\n")
	require.Contains(t, lines[0], "WAITED")
	require.Contains(t, lines[1], "registry")
	require.Contains(t, lines[1], "locks_test.waitsLong", "the most waited for first, from its caller on")
	require.Contains(t, b.String(), "locks_test.waitsBriefly")
	require.Equal(t, 2, strings.Count(b.String(), "registry"), "only locks that opted in")
	require.ErrorContains(t, locks.WriteContention(badWriter{}), "full")
}
