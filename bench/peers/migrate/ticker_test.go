package migrate

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/stretchr/testify/require"
)

type event int

func tickerBefore(events <-chan event, insert func([]event) error) (err error) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var batch []event
	for open := true; open; {
		var e event
		select {
		case e, open = <-events:
			if open {
				batch = append(batch, e)
			}
			if open && len(batch) < 100 {
				continue
			}
		case <-ticker.C:
		}
		if len(batch) > 0 {
			err = insert(batch)
			batch = batch[:0]
		}
	}
	return err
}

func tickerAfter(ctx context.Context, events []event, insert func([]event) error) error {
	b, err := batchchan.New(batchchan.Config[event]{MaxBatch: 100, Linger: time.Second},
		func(ctx context.Context, events []event) error { return insert(events) })
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := b.Send(ctx, e); err != nil { // any number of goroutines may send
			return err
		}
	}
	return b.Close() // inserts what is left, and says if anything failed
}

func TestTicker(t *testing.T) {
	events := make([]event, 250)
	for i := range events {
		events[i] = event(i)
	}
	for name, run := range map[string]func(*testing.T, func([]event) error) error{
		"before": func(t *testing.T, insert func([]event) error) error {
			c, result := make(chan event, 1000), make(chan error)
			go func() { result <- tickerBefore(c, insert) }()
			for _, e := range events {
				c <- e
			}
			close(c)
			return <-result
		},
		"after": func(t *testing.T, insert func([]event) error) error {
			return tickerAfter(t.Context(), events, insert)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []event
				require.NoError(t, run(t, func(batch []event) error {
					require.LessOrEqual(t, len(batch), 100)
					got = append(got, batch...)
					return nil
				}))
				require.Equal(t, events, got)
			})
		})
	}
}
