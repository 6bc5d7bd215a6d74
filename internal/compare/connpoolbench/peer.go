package connpoolbench

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/stats"
)

// Conn is what is pooled.
type Conn struct {
	uses int // loans; plain, because a connection has one holder at a time
	held atomic.Bool
	_    stats.Pad // or the holders of two would slow each other
}

// Peer makes pools of one implementation.
type Peer struct {
	Name   string // "puddle"; poundlock's is "poundlock"
	Config string // its configuration in a few words, for the report

	// New returns a pool of at most n connections, which opens them by dial.
	New func(n int, dial func() *Conn) (Pool, error)
}

// Pool is what the cases need of a pool.
type Pool struct {
	// Use takes a connection, calls f with it, and gives it back. It may pass nil
	// where the implementation shows its user no connection.
	Use func(ctx context.Context, f func(*Conn)) error

	// Close ends the pool. All connections have been given back. It may be nil.
	Close func()
}

// The names of the root implementations that poundlock is held against.
const (
	nameChan = "chan"
	nameSQL  = "sql.DB"
)

// Cases returns every comparison; the peers are measured in all of them, after the
// root module's own implementations.
func Cases(peers ...Peer) []compare.Case {
	all := append([]Peer{poundlock(), channel(), databaseSQL()}, peers...)
	var cases []compare.Case
	cases = append(cases, free(all)...)
	cases = append(cases, contended(all)...)
	cases = append(cases, cancelStorm(all), headOfLine(all))
	cases = append(cases, options()...)
	cases = append(cases, keyed()...)
	for i := range cases { // the wider field is in bench/peers only
		c := &cases[i]
		c.Baselines = slices.DeleteFunc(c.Baselines, func(name string) bool {
			return !slices.ContainsFunc(c.Impls, func(im compare.Impl) bool { return im.Name == name })
		})
	}
	return cases
}

// impls makes the implementations of a case of all peers.
func impls(peers []Peer, bench func(*testing.B, Peer)) []compare.Impl {
	var is []compare.Impl
	for _, p := range peers {
		is = append(is, compare.Impl{Name: p.Name, Config: p.Config, Bench: func(b *testing.B) { bench(b, p) }})
	}
	return is
}

// tally collects the connections that a pool opened, and how often they were used.
type tally struct {
	conns  []atomic.Pointer[Conn] // atomic: a pool may open one that nobody waits for any more
	opened atomic.Int64
	max    int
}

// start makes a pool of n connections, all open.
func start(b *testing.B, p Peer, n int) (Pool, *tally) {
	pool, t := newTally(b, p, n)
	fill(b, pool, n)
	return pool, t
}

// newTally makes a pool of at most n connections.
func newTally(b *testing.B, p Peer, n int) (Pool, *tally) {
	t := &tally{conns: make([]atomic.Pointer[Conn], n), max: n}
	pool, err := p.New(n, func() *Conn {
		i := t.opened.Add(1)
		c := new(Conn)
		if int(i) <= n {
			t.conns[i-1].Store(c)
		}
		return c
	})
	if err != nil {
		b.Fatal(err)
	}
	return pool, t
}

// uses returns how many loans the connections have counted.
func (t *tally) uses() int {
	n := 0
	for i := range t.conns {
		if c := t.conns[i].Load(); c != nil {
			n += c.uses
		}
	}
	return n
}

// fill holds n connections at once, so that the pool has opened them.
func fill(b *testing.B, pool Pool, n int) {
	if n == 0 {
		return
	}
	err := pool.Use(context.Background(), func(*Conn) { fill(b, pool, n-1) })
	if err != nil {
		b.Fatal(err)
	}
}

// check fails the case if the pool opened more than it may, or if the loans that
// the connections counted are not want. blind is how many passed no connection.
func (t *tally) check(b *testing.B, want, blind int) {
	if n := t.opened.Load(); int(n) > t.max {
		b.Fatalf("opened %d connections of %d", n, t.max)
	}
	if uses := t.uses() + blind; uses != want {
		b.Fatalf("%d loans of %d", uses, want)
	}
}

func (p Pool) close() {
	if p.Close != nil {
		p.Close()
	}
}
