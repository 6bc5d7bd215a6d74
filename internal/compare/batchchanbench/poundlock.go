package batchchanbench

import (
	"context"
	"time"

	"github.com/poundlock/poundlock/batchchan"
)

var bg = context.Background()

// poundlock is batchchan.Batcher, through Send.
func poundlock() Peer {
	return Peer{
		Name:   namePoundlock,
		Config: "Batcher.Send, one worker",
		New: func(size int, linger time.Duration, process func([]int)) Batcher {
			b := newBatcher(size, linger, process)
			return Batcher{Send: func(v int) { check(b.Send(bg, v)) }, Close: func() { check(b.Close()) }}
		},
		NewCaller: func(answer func(reqs, res []int)) Caller {
			var scratch []int
			c, err := batchchan.NewCaller(batchchan.Config[int]{MaxBatch: 100},
				func(_ context.Context, reqs []int, results []batchchan.Result[int]) error {
					scratch = append(scratch[:0], reqs...)
					answer(reqs, scratch)
					for i, v := range scratch {
						results[i].Value = v
					}
					return nil
				})
			check(err)
			return asCaller(c)
		},
		NewMerger: func(answer func(reqs, res []int)) Caller {
			var scratch []int
			c, err := batchchan.NewMergingCaller(batchchan.CallerConfig[int]{Config: batchchan.Config[int]{MaxBatch: 100}}, func(req int) int { return req },
				func(_ context.Context, reqs []int, results []batchchan.Result[int]) error {
					scratch = append(scratch[:0], reqs...)
					answer(reqs, scratch)
					for i, v := range scratch {
						results[i].Value = v
					}
					return nil
				})
			check(err)
			return asCaller(c)
		},
	}
}

func asCaller(c *batchchan.Caller[int, int]) Caller {
	return Caller{
		Do: func(req int) int {
			res, err := c.Do(bg, req)
			check(err)
			return res
		},
		Close: func() { check(c.Close()) },
	}
}

func newBatcher(size int, linger time.Duration, process func([]int)) *batchchan.Batcher[int] {
	b, err := batchchan.New(batchchan.Config[int]{
		MaxBatch: size, Linger: linger, MaxPending: pending(size),
		PreciseLinger: linger > 0 && linger < time.Millisecond,
	}, func(_ context.Context, items []int) error {
		process(items)
		return nil
	})
	check(err)
	return b
}

// check ends a benchmark whose operation failed.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
