// Package lockfreebench compares the queues of package lockfree with a channel, a
// ring under a mutex, the textbook's queue of Michael and Scott, and the peers that
// it is given.
package lockfreebench

import "github.com/poundlock/poundlock/internal/compare"

const (
	nameQueue   = "poundlock"
	nameBounded = "poundlock-bounded"
	nameMS      = "poundlock-ms"
	nameChan    = "chan"
	nameMutex   = "mutex-ring"
	nameBook    = "textbook-ms"
)

// Cases returns the comparisons, with peers beside the standard library's means.
func Cases(peers ...Peer) []compare.Case {
	all := append([]Peer{queue, channel, mutexed, textbook, bounded, msqueue}, peers...)
	var cases []compare.Case
	cases = append(cases, pairs(all)...)
	cases = append(cases, transfers(all)...)
	cases = append(cases, batches(all)...)
	cases = append(cases, latencies(all)...)
	cases = append(cases, bursts(all)...)
	cases = append(cases, singles(all)...)
	return cases
}

// newCase returns a case of this group. The first implementation is judged, the
// baselines that it does not have are left out.
func newCase(name, doc string, impls []compare.Impl, baselines ...string) compare.Case {
	c := compare.Case{Group: "lockfree", Name: name, Doc: doc, Impls: impls}
	for _, b := range baselines {
		for _, i := range impls[1:] {
			if i.Name == b {
				c.Baselines = append(c.Baselines, b)
			}
		}
	}
	return c
}

// first returns peers with the one of the given name in front.
func first(name string, peers []Peer) []Peer {
	var out []Peer
	for _, p := range peers {
		if p.Name == name {
			out = append([]Peer{p}, out...)
		} else {
			out = append(out, p)
		}
	}
	return out
}
