package batchchan_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/poundlock/poundlock/batchchan"
)

// Linearizability of concurrent operations with Close, by porcupine, against
// this model: a FIFO of bounded length with a flag.
type chanOp struct {
	kind string // send, recv, trySend, tryRecv, close
	v    int
}

type chanOut struct {
	v   int
	err error
	ok  bool
}

type chanState struct {
	items  string // one rune per item: comparable and cheap to copy
	closed bool
}

func chanModel(capacity int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return chanState{} },
		Step: func(state, in, out any) (bool, any) {
			s, op, o := state.(chanState), in.(chanOp), out.(chanOut)
			switch op.kind {
			case "send":
				switch o.err {
				case batchchan.ErrClosed:
					return s.closed, s
				case batchchan.ErrFull:
					return !s.closed && len(s.items) >= capacity, s
				}
				ok := !s.closed && len(s.items) < capacity
				s.items += string([]byte{byte(op.v)})
				return ok, s
			case "recv":
				switch o.err {
				case batchchan.ErrClosed:
					return s.closed && s.items == "", s
				case batchchan.ErrEmpty:
					return !s.closed && s.items == "", s
				}
				if s.items == "" || int(s.items[0]) != o.v {
					return false, s
				}
				s.items = s.items[1:]
				return true, s
			}
			ok := o.ok == !s.closed
			s.closed = true
			return ok, s
		},
	}
}

func TestChanIsLinearizable(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	if long {
		rounds = 20000
	}
	for round := range rounds {
		capacity := 1 + round%3
		c := batchchan.NewChan[int](capacity)
		base := time.Now()
		var mu sync.Mutex
		var ops []porcupine.Operation
		var wg sync.WaitGroup
		const clients, each = 4, 12
		for id := range clients {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(round), uint64(id)))
				for i := range each {
					var op chanOp
					var out chanOut
					call := time.Since(base)
					switch k := rng.IntN(20); {
					case k < 6:
						op = chanOp{"send", id*each + i}
						out.err = c.TrySend(op.v)
					case k < 12:
						op = chanOp{"recv", 0}
						out.v, out.err = c.TryRecv()
					case k < 15: // blocking, but not for ever
						op = chanOp{"send", id*each + i}
						if out.err = c.SendTimeout(op.v, 50*time.Microsecond); out.err == batchchan.ErrTimeout {
							continue // no effect, which the others prove
						}
					case k < 19 || i < each/2:
						op = chanOp{"recv", 0}
						if out.v, out.err = c.RecvTimeout(50 * time.Microsecond); out.err == batchchan.ErrTimeout {
							continue
						}
					default:
						op = chanOp{kind: "close"}
						out.ok = c.CloseFirst() // the first
						_ = c.Close()
					}
					end := time.Since(base)
					mu.Lock()
					ops = append(ops, porcupine.Operation{ClientId: id, Input: op, Output: out, Call: int64(call), Return: int64(end)})
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if res := porcupine.CheckOperationsTimeout(chanModel(capacity), ops, 5*time.Second); res == porcupine.Illegal {
			t.Fatalf("round %d is not linearizable: %+v", round, ops)
		}
	}
}
