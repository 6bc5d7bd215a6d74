//go:build chaos

package lockfree

import (
	"fmt"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
)

// scheduler runs one of several goroutines at a time, each from one step of the
// algorithm to another, and at every step decides who goes on. A trail of decisions
// determines all that happens, so trails can be enumerated.
type scheduler struct {
	resume   []chan struct{}
	finished chan struct{}
	done     []bool
	current  int
	switches int // how often it may yet stop one that could go on
	steps    int

	trail []decision
	at    int
}

type decision struct{ picked, of int }

// runaway is more steps than all goroutines of a run take together.
const runaway = 20_000

func (s *scheduler) decide(options int) int {
	if s.at == len(s.trail) {
		s.trail = append(s.trail, decision{0, options})
	}
	s.at++
	return s.trail[s.at-1].picked
}

// nextTrail makes the trail the next one, in depth-first order. It reports false if
// there is none.
func (s *scheduler) nextTrail() bool {
	for n := len(s.trail); n > 0; n-- {
		if d := &s.trail[n-1]; d.picked+1 < d.of {
			d.picked++
			s.trail = s.trail[:n]
			return true
		}
	}
	return false
}

func (s *scheduler) others() (ready []int) {
	for i, done := range s.done {
		if !done && i != s.current {
			ready = append(ready, i)
		}
	}
	return ready
}

func (s *scheduler) switchTo(i int) {
	s.current = i
	s.resume[i] <- struct{}{}
}

// step is the hook: the current goroutine is between two atomic operations.
func (s *scheduler) step(point) {
	if s.steps++; s.steps > runaway {
		panic(fmt.Sprintf("no end: %v", s.trail))
	}
	others := s.others()
	if s.switches == 0 || len(others) == 0 {
		return
	}
	if k := s.decide(1 + len(others)); k > 0 {
		s.switches--
		me := s.current
		s.switchTo(others[k-1])
		<-s.resume[me]
	}
}

// run runs goroutines to their ends, by the trail and from there on by first choices.
func (s *scheduler) run(switches int, goroutines []func()) {
	n := len(goroutines)
	s.resume, s.done = make([]chan struct{}, n), make([]bool, n)
	s.finished = make(chan struct{})
	s.at, s.steps, s.switches = 0, 0, switches
	for i, f := range goroutines {
		s.resume[i] = make(chan struct{}, 1)
		go func() {
			<-s.resume[i]
			f()
			s.done[i] = true
			if others := s.others(); len(others) > 0 {
				s.switchTo(others[s.decide(len(others))])
			} else {
				close(s.finished)
			}
		}()
	}
	hook := s.step
	onStep.Store(&hook)
	s.switchTo(s.decide(n))
	<-s.finished
	onStep.Store(nil)
}

// A plan is what goroutines do, one of them a word: e enqueues, E a batch of three, d
// dequeues, D a batch of two, p peeks, o enqueues and drops the oldest, c closes, l asks
// for the length.
type plan struct {
	capacity int // of a Bounded; or one of these
	before   string
	words    string
	switches int // at most so many, and one more in the long form
}

const (
	aQueue = 0
	anMS   = -1
)

// plans begin with a ring of two slots, in one group.
var plans = []plan{
	{aQueue, "", "e e d d", 2},
	{aQueue, "", "ee ee dd", 2},
	{aQueue, "e", "ee d dd", 2},
	{aQueue, "ede", "e eded d", 2},
	{aQueue, "edede", "ede d ded", 2},
	{aQueue, "e", "edededed d e", 2},
	{aQueue, "eeedde", "ed ed ded", 2},
	{aQueue, "ee", "d d e edede", 2}, // a group goes on by a lap while a producer waits to renew it
	{aQueue, "", "E D d", 2},
	{aQueue, "e", "E E D", 2},
	{aQueue, "eeedd", "E eD Dd", 2},
	{aQueue, "e", "p d ed", 2},
	{aQueue, "e", "p p ded", 2},
	{aQueue, "ee", "pp D E", 2},
	{2, "", "ee ee dd", 2},
	{2, "e", "eded e d", 2},
	{2, "e", "E D ed", 2},
	{1, "e", "o o d", 2},
	{1, "e", "o e dp", 2},
	{2, "ee", "o o p", 2},
	{2, "ee", "o p de", 2},
	{2, "e", "E o D", 2},
	{aQueue, "e", "ee c dd", 2},
	{aQueue, "ee", "E c D p", 2},
	{2, "e", "ee c dd", 2},
	{1, "e", "o c d", 2},
	{1, "e", "o o c", 2},
	{anMS, "", "e e d d", 2},
	{anMS, "e", "ee dd dp", 2},
	{anMS, "e", "p p ded", 2},
	{anMS, "e", "E D ld", 2},
	{anMS, "ee", "E c d l", 2},
}

// run runs the plan once, as s says. It returns what the goroutines did and saw, and
// at last took from the queue.
func (p plan) run(t *testing.T, s *scheduler, switches int) (ops []porcupine.Operation) {
	var q Interface[int] = new(Queue[int])
	switch {
	case p.capacity > 0:
		q = NewTinyBounded[int](p.capacity, 0)
	case p.capacity == anMS:
		q = new(MSQueue[int])
	}
	clock, value := int64(0), 0
	do := func(g int, op rune) (took int) {
		clock++
		call := clock
		var done []porcupine.Operation
		add := func(op string, vs []int, out linOut) {
			done = append(done, porcupine.Operation{ClientId: g, Input: linIn{op, vs}, Call: call, Output: out})
		}
		dequeued := func(vs []int, of int) {
			for _, v := range vs { // in a batch each value comes and goes for itself
				add("dequeue", nil, linOut{vs: []int{v}})
			}
			if len(vs) < of {
				add("dequeue", nil, linOut{err: errEmpty})
			}
			took = len(vs)
		}
		switch op {
		case 'e':
			value++
			v := value
			add("enqueue", []int{v}, linOut{err: q.TryEnqueue(v)})
		case 'E':
			value += 3
			vs := []int{value - 2, value - 1, value}
			n, err := q.TryEnqueueBatch(vs)
			if p.capacity == anMS { // there it is one step
				add("batch", vs, linOut{n: n, err: err})
				break
			}
			for _, v := range vs[:n] {
				add("enqueue", []int{v}, linOut{})
			}
			if n < len(vs) {
				add("enqueue", vs[n:n+1], linOut{err: err})
			}
		case 'o':
			value++
			v := value
			_, err := q.(*Bounded[int]).EnqueueDropOldest(v)
			add("drop oldest", []int{v}, linOut{err: err})
		case 'd':
			if v, ok := q.TryDequeue(); ok {
				dequeued([]int{v}, 1)
			} else {
				dequeued(nil, 1)
			}
		case 'D':
			buf := make([]int, 2)
			n := q.TryDequeueBatch(buf)
			if p.capacity == anMS && n > 0 {
				took = n
				add("dequeue", nil, linOut{vs: buf[:n]})
				break
			}
			dequeued(buf[:n], 2)
		case 'l':
			add("len", nil, linOut{n: q.Len()})
		case 'c':
			add("close", nil, linOut{err: q.Close()})
		case 'p':
			if v, ok := q.Peek(); ok {
				add("peek", nil, linOut{vs: []int{v}})
			} else {
				add("peek", nil, linOut{err: errEmpty})
			}
		default:
			panic(op)
		}
		clock++
		for i := range done {
			done[i].Return = clock
		}
		ops = append(ops, done...)
		return took
	}
	for _, op := range p.before {
		do(0, op)
	}
	var goroutines []func()
	for g, word := range strings.Fields(p.words) {
		goroutines = append(goroutines, func() {
			for _, op := range word {
				do(g+1, op)
			}
		})
	}
	s.run(switches, goroutines)
	for do(0, 'd') > 0 {
	}
	if s := q.Stats(); s.Len != 0 || s.Enqueued != s.Dequeued+s.Dropped {
		t.Fatalf("%+v after all have been taken", s)
	}
	return ops
}

// TestEveryInterleaving runs a few goroutines through all orders of their steps in
// which one that could go on is stopped two times at most (three in the long form,
// which takes minutes). Each history must be one of a queue, and no value be left.
func TestEveryInterleaving(t *testing.T) {
	for _, p := range plans {
		t.Run(fmt.Sprintf("%d:%s:%s", p.capacity, p.before, p.words), func(t *testing.T) {
			switches := p.switches
			if long() {
				switches++
			}
			model := linModel(max(p.capacity, 0))
			seen := map[string]bool{}
			var s scheduler
			runs, steps := 0, 0
			for more := true; more; more = s.nextTrail() {
				ops := p.run(t, &s, switches)
				runs++
				steps = max(steps, s.steps)
				history := fmt.Sprint(ops)
				if seen[history] {
					continue
				}
				seen[history] = true
				if !porcupine.CheckOperations(model, ops) {
					for _, op := range ops {
						t.Logf("%d [%d,%d] %s", op.ClientId, op.Call, op.Return, model.DescribeOperation(op.Input, op.Output))
					}
					t.Fatalf("run %d is not linearizable: %v", runs, s.trail)
				}
			}
			t.Logf("%d runs of up to %d steps, %d histories", runs, steps, len(seen))
		})
	}
}
