package connpool

// job is a call of functions of Config, which the pool makes in a goroutine.
type job[C any] struct {
	kind  jobKind
	e     *entry[C]   // of jobHeld and jobClose
	dial  *dialJob[C] // of jobDial
	held  heldJob[C]  // of jobHeld
	cause error       // of jobClose: why the connection is closed
	leaks []leak[C]   // of jobTellLeaks
}

type jobKind uint8

const (
	jobTicks       jobKind = iota // a tick from time to time, until the pool closes
	jobDial                       // then dialed is to be called
	jobHeld                       // Check or Reset; then held
	jobClose                      // then closeEnded
	jobTellBreaker                // OnBreaker
	jobTellLeaks                  // OnLeaked
)

// jobs is the part of a pool that holds what core has left to it. It is guarded by Pool.mu.
type jobs[C any] struct {
	list    []job[C] // to be started before the pool unlocks
	running int      // those that have not ended, the list included
}

// begin leaves a job to the pool. The pool is not drained until the job's end is counted.
func (q *jobs[C]) begin(j job[C]) {
	q.running++
	q.list = append(q.list, j)
}

// start has f begin each job that waits.
func (q *jobs[C]) start(f func(job[C])) {
	for _, j := range q.list {
		f(j)
	}
	clear(q.list) // or the collector could not have what they hold
	q.list = q.list[:0]
}
