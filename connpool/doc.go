// Package connpool lends connections of any type: to servers that speak your own
// protocol, to Redis, to PostgreSQL through pgconn.
//
// # When to use it
//
// For a client that keeps connections to a server and needs what a production pool
// needs: an exact bound on connections, waiters served first in first out, minimum
// and maximum of idle ones, lifetimes, idle limits, checks on borrowing and in the
// background, reset on return, time limits, back-off and a circuit breaker when the
// server is down, live resizing, leak detection, statistics. [Keyed] is one pool
// per address or tenant under a common limit. The package connpool/health turns
// the statistics into a score and advice.
//
// # When not to
//
// For SQL through database/sql, whose DB is a pool already. For HTTP, whose
// Transport is. For a protocol that multiplexes many requests over one connection
// (HTTP/2, gRPC): share one. For objects without a life of their own, use objpool.
//
// # Design
//
// A connection's state is one word, uses<<4 | flags | state. Acquire is one
// compare-and-swap on the connection that this processor had last, else a scan;
// Release is one compare-and-swap between two loads of the pool's gate. Because
// uses grows with every loan, the word is also the exact count of acquires, the
// generation by which a stale [Conn] is detected, and the janitor's clock: if it did
// not change for some ticks, the connection is idle or suspected to be leaked. So idle
// limits, lifetimes and leak detection cost borrowers nothing, not even a look at
// the clock.
//
// The gate is not zero while an Acquire waits, or the pool is closed or paused. An
// acquirer that finds nothing queues, raises the gate and looks once more; a
// releaser makes its connection idle, then looks at the gate (Dekker's pattern), so
// no wake-up is lost. Dials and checks run in goroutines of their own, detached from
// the call that asked for them: whatever is ready first, a returned connection or a
// new one, goes to the head of the queue. A slot is free only when the connection's
// Close has returned. No function of the user runs under the pool's lock.
//
// # Memory model
//
// What a holder did to a connection, up to its Release, happens before the return
// of the Acquire that lends it next. What Dial did happens before the first loan.
// What the functions of Config did happens before the return of Close.
//
// # Cost
//
// Acquire and Release together take half of what a channel's receive and send take (31
// against 63 ns), and do not allocate. Processors do not disturb each other while each finds
// a connection that it had before: then it is a sixth (18 against 107 ns). A call that must
// wait costs about two context switches, 1.1 to 1.2 times a channel's time. A look-up in a
// Keyed costs as much again as the loan while keys are few, and five times the loan with a
// thousand of them; with MaxTotal, taking turns between keys costs 100 ns more. The figures are
// of commit 68ae52e, go run ./bench -run ^connpool on two processors of a shared machine. A Reset
// or a Check costs a goroutine. LeakAfter and the limits of time cost borrowers nothing. An
// idle pool does nothing but its ticks, and has no goroutine if it has no limit of time.
//
// # Time in tests
//
// All waiting is on channels and timers made by the pool, so that code built on it
// can be tested in a testing/synctest bubble.
package connpool
