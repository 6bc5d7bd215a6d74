package jetstream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// busy is an executor that begins a call for a new message whenever it is asked how many
// there were.
type busy struct {
	executor
	ledger *ledger
	begun  uint64
}

func (b *busy) calls() uint64 {
	now := time.Now()
	h := &held{d: &Delivery{}}
	b.ledger.slots <- struct{}{}
	b.ledger.add(h, now, now)
	b.ledger.start(h, func(error) {}, now)
	b.begun++
	return b.begun
}

// No snapshot has more calls than messages, whatever happens while it is made.
func TestNoMoreCallsThanMessages(t *testing.T) {
	l := newLedger(10, time.Minute, 0)
	cfg := Config{Workers: 1, MaxBatch: 1}
	acks, err := newAcker(&cfg, l)
	require.NoError(t, err)
	defer acks.close()
	w := &Worker{ledger: l, acks: acks, exec: &busy{ledger: l}}
	for range 3 {
		s := w.Stats()
		require.LessOrEqual(t, s.Calls, s.Fetched)
	}
}
