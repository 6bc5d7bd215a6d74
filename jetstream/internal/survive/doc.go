// Package survive has the tests that kill, freeze and starve processes: workers,
// publishers and the real nats-server, each a process of its own, with streams in
// files and every write synced.
package survive
