package batchchanbench

import (
	"sync"
	"time"
)

// handWritten is the batcher that everyone writes, written correctly: the timer
// starts with a batch's first item and stops with its last, and closing the input
// flushes the rest.
func handWritten() Peer {
	return Peer{
		Name:   nameSelect,
		Config: "hand-written: select on a channel and a timer that starts with the first item",
		New: func(size int, linger time.Duration, process func([]int)) Batcher {
			in := make(chan int, pending(size))
			done := make(chan struct{})
			go func() {
				defer close(done)
				selectLoop(in, size, linger, process)
			}()
			return Batcher{
				Send:  func(v int) { in <- v },
				Close: func() { close(in); <-done },
			}
		},
		NewCaller: coalescer,
	}
}

func selectLoop(in <-chan int, size int, linger time.Duration, process func([]int)) {
	buf := make([]int, 0, size)
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	flush := func() {
		timer.Stop()
		process(buf)
		buf = buf[:0]
	}
	for {
		select {
		case v, ok := <-in:
			if !ok {
				if len(buf) > 0 {
					flush()
				}
				return
			}
			if len(buf) == 0 {
				timer.Reset(linger)
			}
			if buf = append(buf, v); len(buf) == size {
				flush()
			}
		case <-timer.C:
			if len(buf) > 0 {
				flush()
			}
		}
	}
}

// coalescer is the same for calls: one goroutine takes the requests that are
// there, up to 100, and answers them. Reply channels are used again.
func coalescer(answer func(reqs, res []int)) Caller {
	type call struct {
		req   int
		reply chan int
	}
	in := make(chan call, 4096)
	replies := sync.Pool{New: func() any { return make(chan int, 1) }}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var calls []call
		reqs, res := make([]int, 0, 100), make([]int, 100)
		for first := range in {
			calls, reqs = append(calls[:0], first), append(reqs[:0], first.req)
		more:
			for len(calls) < 100 {
				select {
				case c, ok := <-in:
					if !ok {
						break more
					}
					calls, reqs = append(calls, c), append(reqs, c.req)
				default:
					break more
				}
			}
			answer(reqs, res[:len(reqs)])
			for i, c := range calls {
				c.reply <- res[i]
			}
		}
	}()
	return Caller{
		Do: func(req int) int {
			reply := replies.Get().(chan int)
			in <- call{req, reply}
			v := <-reply
			replies.Put(reply)
			return v
		},
		Close: func() { close(in); <-done },
	}
}

// bareChan has no batches: the consumer adds items up one by one.
func bareChan() Peer {
	return Peer{
		Name:   nameChan,
		Config: "a bare channel, no batches",
		New: func(size int, _ time.Duration, process func([]int)) Batcher {
			in := make(chan int, pending(size))
			done := make(chan struct{})
			go func() {
				defer close(done)
				sum := tally{}
				for v := range in {
					sum.n++
					sum.sum += v
				}
				sum.report(process)
			}()
			return Batcher{
				Send:  func(v int) { in <- v },
				Close: func() { close(in); <-done },
			}
		},
	}
}
