// Package health judges how well a connection pool does, from its statistics.
//
// A [Monitor] looks at the difference between two readings of connpool.Stats, so
// that what happened long ago does not colour the present: it gives a score from 0
// to 100, what lowered it, and what to do about it in words. A [Recorder] keeps
// figures of slow calls by the name of the operation, in bounded memory.
//
// Neither has a goroutine or a clock of its own: the caller decides when to look.
//
//	m := health.NewMonitor(health.Config{})
//	for range time.Tick(10 * time.Second) {
//		r := m.Observe(pool.Stats(), time.Now())
//		if r.Score < 80 {
//			log.Println(r)
//		}
//	}
//
// When not to use it: to alert on a single counter, read connpool.Stats.
package health
