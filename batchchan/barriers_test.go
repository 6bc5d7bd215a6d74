package batchchan

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The model keeps the batches that have not ended and asks which barriers may pass.
func TestBarriersPassWhenAllBeforeThemHasEnded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s barriers
		open := map[uint64]bool{}
		opened := uint64(0)
		waiting := map[*barrier]bool{}
		upTo := func(target uint64) (n int) {
			for seq := range open {
				if seq <= target {
					n++
				}
			}
			return n
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				opened++
				open[opened] = true
			case 1:
				if len(open) == 0 {
					continue
				}
				b, isNew := s.add(opened, len(open))
				require.Equal(t, isNew, !waiting[b], "those with one target share one")
				waiting[b] = true
			case 2:
				if len(open) == 0 {
					continue
				}
				seq := rapid.Uint64Range(1, opened).Draw(t, "seq")
				if !open[seq] {
					continue
				}
				delete(open, seq)
				for b := s.pass(seq, nil); b != nil; b = b.next {
					require.True(t, waiting[b], "passed once")
					require.Zero(t, upTo(b.target))
					require.NoError(t, b.err)
					delete(waiting, b)
				}
			}
			for b := range waiting {
				require.Equal(t, upTo(b.target), b.left)
				require.Positive(t, b.left, "one with nothing left has passed")
			}
			require.Equal(t, len(waiting) > 0, s.waiting())
			require.Len(t, s.all, len(waiting))
		}
		n := 0
		for b := s.fail(ErrClosed, nil); b != nil; b = b.next {
			require.Equal(t, ErrClosed, b.err)
			n++
		}
		require.Len(t, waiting, n)
		require.False(t, s.waiting())
	})
}
