package prometheus

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

// A scrape that nobody reads holds up no other.
func TestACollectThatNobodyReads(t *testing.T) {
	c := New(new(observe.Registry), Config{})
	unread, over := make(chan prometheus.Metric), make(chan struct{})
	go func() {
		defer close(over)
		c.Collect(unread)
	}()
	<-unread // it is amid its metrics
	read := make(chan prometheus.Metric, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Collect(read)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("it waits for the other")
	}
	for open := true; open; {
		select {
		case <-unread:
		case <-over:
			open = false
		}
	}
	<-done
	require.NotEmpty(t, read)
}
