package workerpool

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What each step makes of each token, beside the counts: one that comes to the queue uses
// up one that is on its way, one that finds nothing takes over even that, and who rests
// gives up its own alone.
func TestCtlSteps(t *testing.T) {
	const none, coming, search, two = tokenNone, tokenComing, tokenSearch, tokenTwo
	for _, tc := range []struct {
		name                     string
		step                     func(c *ctl) bool
		tokens                   [4]ctlState // after none, coming, search, two
		result                   [4]bool
		workers, active, sleeper int // what changes
	}{
		{"arrive", func(c *ctl) bool { c.arrive(); return false }, [4]ctlState{none, none, search, coming}, [4]bool{}, 0, 1, 0},
		{"unspawn", func(c *ctl) bool { c.unspawn(); return false }, [4]ctlState{none, none, search, coming}, [4]bool{}, -1, 0, 0},
		{"leave", func(c *ctl) bool { s, _ := c.leave(false); return s }, [4]ctlState{none, coming, search, two}, [4]bool{}, 0, -1, 0},
		{"leave to search", func(c *ctl) bool { s, _ := c.leave(true); return s }, [4]ctlState{search, search, search, search}, [4]bool{true, true, false, true}, 0, -1, 0},
		{"found", func(c *ctl) bool { c.found(); return false }, [4]ctlState{none, none, none, none}, [4]bool{}, 0, 1, 0},
		{"rest", func(c *ctl) bool { c.rest(false); return false }, [4]ctlState{none, coming, search, two}, [4]bool{}, 0, 0, 1},
		{"rest from a search", func(c *ctl) bool { c.rest(true); return false }, [4]ctlState{none, none, none, none}, [4]bool{}, 0, 0, 1},
	} {
		for token := range ctlState(4) {
			var c ctl
			c.w.Store(uint64(5*workerOne + 2*activeOne + idleOne + token))
			require.Equal(t, tc.result[token], tc.step(&c), "%s with token %d", tc.name, token)
			s := c.load()
			require.Equal(t, int(tc.tokens[token]), s.token(), "%s with token %d", tc.name, token)
			require.Equal(t, []int{5 + tc.workers, 2 + tc.active, 1 + tc.sleeper}, []int{s.workers(), s.active(), s.idle()}, tc.name)
		}
	}
}
