package lockfreebench

// Peer is one queue under comparison.
type Peer struct {
	Name   string
	Config string // its configuration in a few words

	// New returns an empty queue.
	New func() Queue
}

// Queue is what the cases use of a queue. All are plain functions, so that every
// implementation is called in the same way. Values are at least 1.
type Queue struct {
	// Put adds a value. A bounded queue without waiting yields until there is room.
	Put func(v int)
	// TryGet takes a value, or returns false if there is none.
	TryGet func() (int, bool)

	// Get waits for a value, parked; nil if the queue cannot.
	Get func() int
	// PutBatch and GetBatch move several values; nil if the queue cannot. GetBatch
	// does not wait, and returns how many it took.
	PutBatch func(vs []int)
	GetBatch func(buf []int) int
	// Stats reads the queue's statistics; nil if it has none.
	Stats func()
	// Capacity is how many values fit in; 0 if any number.
	Capacity int
}

// capacity is that of the bounded queues, and of the channel.
const capacity = 1024
