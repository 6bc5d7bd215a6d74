// Package jetstream runs workerpool and batchchan on many machines: what waits is
// kept by a NATS JetStream server, and each process takes its share.
//
// # When to use it
//
// Use it when one process is not enough, or when what was accepted must survive the
// end of a process. A [Publisher] stores messages and tells when the server has
// them. A [Worker] runs a handler for each message of a consumer, or for batches of
// them, and has failed ones delivered again.
//
// # When not
//
// Work that one process can do, and that may be lost with it, is better kept in a
// workerpool: that is a thousand times cheaper and runs each task exactly once. If
// jobs must commit together with rows of a database, use a queue in that database.
//
// # Guarantees
//
// A message whose Publish returned nil is stored, and is handled at least once
// until a handler returns nil for it, marks it with [ErrTerminal], or has failed
// Config.MaxDeliver times. It may be handled more than once: when a process dies,
// or is frozen for longer than the consumer's AckWait, while it has the message.
// Handlers must be idempotent. What was acknowledged survives a crash of the
// server's machine only if the server syncs always (sync_interval: always) or has
// replicas.
//
// # Design
//
// A Publisher is a batchchan.Keyed: messages that come while the server answers
// others go together, and those of one key one after the other. A Worker holds as
// many messages as it has workers, and a few ahead. A ledger has each message from its
// arrival to its end, and each has one end. Heartbeats keep the messages of the ledger
// from being delivered to others. A batchchan.Batcher collects acknowledgements, which
// share round trips. A Worker asks for no more messages than it has places.
//
// # Memory model
//
// What happens before Publish or Send happens before the handling, as far as one
// process sees both: through the server. The return of a handler happens before the
// return of the Shutdown or Close that waited for it.
package jetstream
