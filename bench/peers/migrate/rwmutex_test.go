package migrate

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/poundlock/poundlock/locks"
	"github.com/stretchr/testify/require"
)

type syncScores struct {
	mu     sync.RWMutex
	points map[string]int
}

func (s *syncScores) get(name string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.points[name]
}

func (s *syncScores) raise(name string, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.points[name] += by
}

type scores struct {
	mu     locks.RWMutex
	points map[string]int
}

func (s *scores) get(name string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.points[name]
}

func (s *scores) raise(name string, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.points[name] += by
}

func (s *scores) raiseContext(ctx context.Context, name string, by int) error {
	if err := s.mu.LockContext(ctx); err != nil {
		return err // it matches ctx.Err() and context.Cause(ctx)
	}
	defer s.mu.Unlock()
	s.points[name] += by
	return nil
}

func TestRWMutex(t *testing.T) {
	for name, s := range map[string]interface {
		get(string) int
		raise(string, int)
	}{
		"before": &syncScores{points: map[string]int{}},
		"after":  &scores{points: map[string]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() { s.raise("a", 1); s.get("a") })
			}
			wg.Wait()
			require.Equal(t, 8, s.get("a"))
		})
	}
}

func TestRWMutexContext(t *testing.T) {
	s := scores{points: map[string]int{}}
	require.NoError(t, s.raiseContext(t.Context(), "a", 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.raiseContext(ctx, "a", 1), context.Canceled)
	require.Equal(t, 1, s.get("a"))
}

func TestRWMutexInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu locks.RWMutex
		mu.Lock()
		go func() {
			time.Sleep(time.Hour)
			mu.Unlock()
		}()
		mu.Lock() // the hour passes at once; with a sync.RWMutex the test hangs here
		defer mu.Unlock()
	})
}
