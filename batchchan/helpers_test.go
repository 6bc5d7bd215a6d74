package batchchan_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/batchchan"
)

// long says whether to run the long forms of the random tests: set
// POUNDLOCK_LONG=1 (minutes instead of seconds).
var long = os.Getenv("POUNDLOCK_LONG") != ""

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var bg = context.Background()

// collector is a processor that keeps copies of its batches.
type collector[T any] struct {
	mu      sync.Mutex
	batches [][]T
}

func (c *collector[T]) process(_ context.Context, items []T) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batches = append(c.batches, append([]T(nil), items...))
	return nil
}

func (c *collector[T]) items() []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []T
	for _, b := range c.batches {
		all = append(all, b...)
	}
	return all
}

func (c *collector[T]) sizes() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var n []int
	for _, b := range c.batches {
		n = append(n, len(b))
	}
	return n
}

func must[T any](t testing.TB) func(*batchchan.Batcher[T], error) *batchchan.Batcher[T] {
	return func(b *batchchan.Batcher[T], err error) *batchchan.Batcher[T] {
		t.Helper()
		require.NoError(t, err)
		return b
	}
}

func upTo(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// checkQuiet asserts what must hold when nothing is going on.
func checkQuiet(t testing.TB, s batchchan.Stats) {
	t.Helper()
	require.Equal(t, s.Accepted, s.Delivered+s.Dropped()+s.Undelivered+s.Cancelled+uint64(s.Pending), "%+v", s)
	require.Equal(t, s.Delivered, s.Succeeded+s.Failed+uint64(s.InFlight), "%+v", s)
	cut := s.FlushedSize + s.FlushedLinger + s.FlushedBytes + s.FlushedManual + s.FlushedIdle + s.FlushedClose
	require.GreaterOrEqual(t, cut, s.Batches, "%+v", s)
	require.GreaterOrEqual(t, s.HighWater, s.Pending)
	require.LessOrEqual(t, s.MeanFill, 1.0)
}

// requireFailed asserts that err reports n failed items.
func requireFailed(t require.TestingT, n int, err error) {
	var f *batchchan.FailedError
	if n == 0 {
		require.NoError(t, err)
		return
	}
	require.ErrorAs(t, err, &f)
	require.Equal(t, n, f.Items, "%v", err)
}
