package lockfree

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// The operations of a history and what they answered. The model is the obvious
// queue: a slice, a capacity and a closed flag.
type (
	linIn struct {
		op string
		vs []int
	}
	linOut struct {
		vs  []int
		err error
		n   int
	}
	linState struct {
		vs     string // one byte per value
		closed bool
	}
)

func linModel(capacity int) porcupine.Model {
	step := func(s linState, in linIn, out linOut) (bool, linState) {
		switch in.op {
		case "enqueue", "batch":
			switch out.err {
			case ErrClosed:
				if out.n > 0 {
					return false, s
				}
				return s.closed, s
			case ErrFull:
				return !s.closed && len(s.vs) == capacity, s
			}
			if s.closed {
				return false, s
			}
			for _, v := range in.vs {
				s.vs += string(rune(v))
			}
			return capacity == 0 || len(s.vs) <= capacity, s
		case "dequeue", "wait":
			switch out.err {
			case ErrClosed:
				return s.closed && s.vs == "", s
			case context.Canceled:
				return true, s
			case errEmpty:
				return s.vs == "", s
			}
			got := ""
			for _, v := range out.vs {
				got += string(rune(v))
			}
			if len(s.vs) < len(got) || s.vs[:len(got)] != got {
				return false, s
			}
			s.vs = s.vs[len(got):]
			return true, s
		case "drop oldest":
			if out.err != nil || s.closed {
				return out.err == ErrClosed && s.closed, s
			}
			if len(s.vs) == capacity {
				s.vs = s.vs[1:]
			}
			s.vs += string(rune(in.vs[0]))
			return true, s
		case "peek":
			if out.err == errEmpty {
				return s.vs == "", s
			}
			return s.vs != "" && s.vs[:1] == string(rune(out.vs[0])), s
		case "len":
			return out.n == len(s.vs), s
		case "close":
			s.closed = true
			return true, s
		}
		panic(in.op)
	}
	return porcupine.Model{
		Init: func() any { return linState{} },
		Step: func(s, in, out any) (bool, any) {
			ok, next := step(s.(linState), in.(linIn), out.(linOut))
			return ok, next
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
	}
}

var errEmpty = fmt.Errorf("empty")

// history runs a few goroutines with random operations on q and returns what they
// did and saw. Values are below 128, so that a model's state is a short string.
func history(q Interface[int], rng *rand.Rand, withClose bool) []porcupine.Operation {
	const goroutines, each = 4, 6
	_, ms := q.(*MSQueue[int])
	b, bounded := q.(*Bounded[int])
	var clock, values atomic.Int64
	var ops [goroutines + 1][]porcupine.Operation
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	record := func(g int, in linIn, f func() linOut) {
		call := clock.Add(1)
		out := f()
		ops[g] = append(ops[g], porcupine.Operation{
			ClientId: g, Input: in, Call: call, Output: out, Return: clock.Add(1),
		})
	}
	seeds := [goroutines]uint64{}
	for g := range seeds {
		seeds[g] = rng.Uint64()
	}
	start := make(chan struct{})
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seeds[g], 1))
			<-start
			for range each {
				switch k := rng.IntN(25); {
				case k >= 22:
					record(g, linIn{op: "peek"}, func() linOut {
						v, ok := q.Peek()
						if !ok {
							return linOut{err: errEmpty}
						}
						return linOut{vs: []int{v}}
					})
				case k < 5 && bounded:
					v := int(values.Add(1))
					record(g, linIn{"drop oldest", []int{v}}, func() linOut {
						_, err := b.EnqueueDropOldest(v)
						return linOut{err: err}
					})
				case k < 8:
					v := int(values.Add(1))
					record(g, linIn{"enqueue", []int{v}}, func() linOut { return linOut{err: q.TryEnqueue(v)} })
				case k < 15:
					record(g, linIn{op: "dequeue"}, func() linOut {
						v, ok := q.TryDequeue()
						if !ok {
							return linOut{err: errEmpty}
						}
						return linOut{vs: []int{v}}
					})
				case k < 17 && ms: // in the others a batch is several steps
					n := int(values.Add(3))
					vs := []int{n - 2, n - 1, n}
					record(g, linIn{"batch", vs}, func() linOut {
						n, err := q.TryEnqueueBatch(vs)
						return linOut{n: n, err: err}
					})
				case k < 18 && ms:
					record(g, linIn{op: "dequeue"}, func() linOut {
						buf := make([]int, 2)
						n := q.TryDequeueBatch(buf)
						if n == 0 {
							return linOut{err: errEmpty}
						}
						return linOut{vs: buf[:n]}
					})
				case k < 19:
					record(g, linIn{op: "wait"}, func() linOut {
						v, err := q.Dequeue(ctx)
						if err != nil {
							return linOut{err: err}
						}
						return linOut{vs: []int{v}}
					})
				case ms:
					record(g, linIn{op: "len"}, func() linOut { return linOut{n: q.Len()} })
				}
			}
		})
	}
	if withClose {
		wg.Go(func() {
			<-start
			for clock.Load() < int64(goroutines*each) {
				time.Sleep(time.Microsecond) // real time: polls a counter
			}
			record(goroutines, linIn{op: "close"}, func() linOut { q.Close(); return linOut{} })
		})
	}
	close(start)
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	// Waiting dequeues that nobody serves end with their ctx.
	for last := int64(-1); ; {
		select {
		case <-done:
			return slices.Concat(ops[:]...)
		case <-time.After(2 * time.Millisecond):
		}
		now := clock.Load()
		if now == last {
			cancel()
		}
		last = now
	}
}

// TestLinearizable checks short histories against the model, on tiny rings, three of
// four with Close in the middle. At least 400 of these must be decided for each type
// (70 in the short form), and of all that are tried no more than 2 % be undecided.
func TestLinearizable(t *testing.T) {
	for _, k := range Kinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			capacity := 0
			if k.Name == "Bounded" {
				capacity = 3
			}
			model := linModel(capacity)
			n := Scale(100, 560, 2000)
			undecided, decidedWithClose := 0, 0
			for i := range n {
				withClose := i%4 != 0
				ops := history(k.Make(), rand.New(rand.NewPCG(uint64(i), 7)), withClose)
				switch porcupine.CheckOperationsTimeout(model, ops, 5*time.Second) {
				case porcupine.Illegal:
					for _, op := range ops {
						t.Logf("%d [%d,%d] %s", op.ClientId, op.Call, op.Return, model.DescribeOperation(op.Input, op.Output))
					}
					t.Fatalf("history %d is not linearizable", i)
				case porcupine.Unknown:
					undecided++
				default:
					if withClose {
						decidedWithClose++
					}
				}
			}
			t.Logf("%d histories, %d undecided; %d decided with Close", n, undecided, decidedWithClose)
			if undecided*50 > n {
				t.Errorf("%d of %d histories undecided", undecided, n)
			}
			if want := Scale(70, 400, 400); decidedWithClose < want {
				t.Errorf("fewer than %d decided with Close", want)
			}
		})
	}
}

// TestModelRejects makes sure that the checker can say no.
func TestModelRejects(t *testing.T) {
	op := func(c int, call, ret int64, in linIn, out linOut) porcupine.Operation {
		return porcupine.Operation{ClientId: c, Input: in, Call: call, Output: out, Return: ret}
	}
	enq := func(v int, call int64) porcupine.Operation {
		return op(0, call, call+1, linIn{"enqueue", []int{v}}, linOut{})
	}
	bad := map[string][]porcupine.Operation{
		"order":        {enq(1, 0), enq(2, 2), op(1, 4, 5, linIn{op: "dequeue"}, linOut{vs: []int{2}})},
		"repeat":       {enq(1, 0), op(1, 4, 5, linIn{op: "dequeue"}, linOut{vs: []int{1}}), op(1, 6, 7, linIn{op: "dequeue"}, linOut{vs: []int{1}})},
		"empty":        {enq(1, 0), op(1, 4, 5, linIn{op: "dequeue"}, linOut{err: errEmpty})},
		"full":         {enq(1, 0), op(0, 4, 5, linIn{"enqueue", []int{2}}, linOut{err: ErrFull})},
		"over":         {enq(1, 0), enq(2, 2), enq(3, 4)},
		"closed":       {op(1, 0, 1, linIn{op: "close"}, linOut{}), enq(1, 2)},
		"peek":         {enq(1, 0), enq(2, 2), op(1, 4, 5, linIn{op: "peek"}, linOut{vs: []int{2}})},
		"peeked empty": {enq(1, 0), op(1, 4, 5, linIn{op: "peek"}, linOut{err: errEmpty})},
		"not dropped": {
			enq(1, 0), enq(2, 2), op(1, 4, 5, linIn{"drop oldest", []int{3}}, linOut{}),
			op(1, 6, 7, linIn{op: "dequeue"}, linOut{vs: []int{1}}),
		},
		"dropped without need": {
			enq(1, 0), op(1, 4, 5, linIn{"drop oldest", []int{3}}, linOut{}),
			op(1, 6, 7, linIn{op: "dequeue"}, linOut{vs: []int{3}}),
		},
		"len": {enq(1, 0), op(1, 4, 5, linIn{op: "len"}, linOut{n: 2})},
	}
	for name, ops := range bad {
		if porcupine.CheckOperations(linModel(2), ops) {
			t.Errorf("%s: accepted", name)
		}
	}
}
