package jetstream

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// Lost messages may fill the workerpool's queue until a worker comes to them. What comes next
// of a key is run all the same.
func TestANextOfAKeyForWhichThePoolHasNoRoom(t *testing.T) {
	nc := dial(t)
	started, goOn := make(chan string, 3), make(chan struct{})
	w := idle(t, nc, Config{
		Workers: 1, Ahead: 1,
		Key: func(*Delivery) string { return "k" },
		Handle: func(_ context.Context, d *Delivery) error {
			started <- d.Subject
			<-goOn
			return nil
		},
	})
	require.NoError(t, nc.Publish("s", nil))
	require.Equal(t, "s", <-started)

	next := &held{key: "k", msg: &nats.Msg{Reply: "said"}, d: &Delivery{Subject: "next", Delivered: 1}}
	w.ledger.slots <- struct{}{}
	require.True(t, w.ledger.add(next, time.Now(), time.Now()))
	w.exec.submit(next)
	for w.exec.(*singles).pool.TryInvoke(&held{state: heldSettled}) == nil { // until there is no room
	}
	close(goOn)
	select {
	case subject := <-started:
		require.Equal(t, "next", subject)
	case <-time.After(20 * time.Second):
		t.Error("the next is not run")
	}
	require.NoError(t, w.Close())
}
