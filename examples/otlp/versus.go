package main

import (
	"context"
	"errors"
	"sync"
)

// versus compares the pipeline with the SDK. n spans a round go to addr, of which the
// receiver is another process, so that only what sends them is measured.
func versus(addr string, rounds, n int, ours, theirs opener) ([]*row, error) {
	rows := []*row{
		{What: "throughput", Figure: "spans/s", more: true},
		{What: "throughput", Figure: "spans/CPU s", Claim: "2 x", low: 2, more: true, Why: "It is the bar of this example."},
		{What: "memory", Figure: "bytes a span"},
		{What: "memory", Figure: "allocs a span"},
	}
	var failed error
	side := func(open opener) func() []float64 {
		return func() []float64 {
			c, err := open(addr, nil)
			if err != nil {
				failed = err
				return nil
			}
			u := measure(func() {
				var senders sync.WaitGroup
				for range 4 {
					senders.Go(func() {
						for range n / 4 {
							c.do()
						}
					})
				}
				senders.Wait()
				failed = errors.Join(failed, c.shutdown(context.Background()))
			})
			spans := float64(n / 4 * 4)
			return []float64{spans / u.wall.Seconds(), spans / max(u.cpu, 1).Seconds(), u.bytes / spans, u.allocs / spans}
		}
	}
	takeTurns(rounds, rows, side(theirs), side(ours))
	return rows, failed
}

// faults has the same go wrong for both.
func faults(ours, theirs opener) ([]*row, error) {
	var rows []*row
	var failed error
	for _, f := range []struct {
		what string
		run  func(opener) (*ledger, error)
	}{{"shutdown", shutdownUnderLoad}, {"restart", receiverRestarts}} {
		lost := &row{What: f.what, Figure: "lost", Claim: "0 of ours", none: true, Why: "It is the bar of this example."}
		side := func(open opener) func() []float64 {
			return func() []float64 {
				l, err := f.run(open)
				if err != nil {
					failed = errors.Join(failed, err)
					return nil
				}
				return []float64{float64(l.lost()), float64(l.count(handedBack, received)), float64(l.count(received, 0))}
			}
		}
		these := []*row{lost, {What: f.what, Figure: "handed back"}, {What: f.what, Figure: "arrived", more: true}}
		takeTurns(1, these, side(theirs), side(ours))
		rows = append(rows, these...)
	}
	return rows, failed
}
