package lockfree

// point names a place between two atomic operations of an algorithm. Builds with
// the chaos tag yield there, and the freeze tests stop a goroutine there for good;
// in other builds it is nothing.
type point uint8

const (
	enqSaw        point = iota // saw the next ticket, before looking at its slot
	enqLooked                  // saw a ready slot, before taking its ticket
	enqTook                    // owns a ticket, value not written
	enqWrote                   // value written, not published
	enqBarred                  // was passed over, has not left the slot
	enqPublished               // done but for waking a waiter
	enqRenewing                // waits for consumers of an earlier lap to leave
	enqBlocked                 // before marking a slot that an earlier lap holds
	enqSkipping                // before moving tail past a dead ticket
	enqSealed                  // ring sealed, nothing appended
	enqGrown                   // new ring made, not appended
	enqAppended                // new ring appended, tail not moved
	limitSaw                   // saw head, before the limit says so
	limitCounted               // all tickets have values, before the limit says so
	enqFull                    // before counting the values of a full queue
	deqSaw                     // saw head's ticket, before looking at its slot
	deqMissed                  // its slot is not full, before looking at tail
	deqLooked                  // saw a full slot, before taking its ticket
	deqTook                    // owns a ticket, value not read
	deqRead                    // value read, slot not left
	deqBarring                 // before passing over a stalled enqueue
	deqPassing                 // before moving head past a dead ticket
	deqHelped                  // queue's tail moved off a drained ring, head not
	deqRetired                 // head moved off a drained ring, next not cut
	leaving                    // before one try to leave a dead slot
	closing                    // before one try to close
	closedTail                 // no more tickets, values in a full queue not dropped
	closed                     // closed, waiters not woken
	waitJoined                 // registered as a waiter, before looking again
	waitWoken                  // got a signal, before looking again
	wakeOne                    // before sending a signal
	wakeSent                   // signal sent, waiter still counted
	waitSettling               // every waiter is claimed, before taking a signal back
	msLooked                   // enqueue: saw the last node
	msLinked                   // enqueue: node linked, tail not moved
	msHelping                  // enqueue: before moving the tail for another
	msFound                    // dequeue: saw head and its successor
	msTook                     // dequeue: head moved, value not read
	msRead                     // dequeue: value read, node not cut
	msCounting                 // counting: saw head, before looking for the last node
	overPublished              // value in a full queue, too many there
	overDropping               // saw the oldest, before taking it
	peekJoined                 // may read, before looking at head
	peekRead                   // value read, still in
	peekTaking                 // alone as it seems, before taking the list of what is to be freed
	peekLeaving                // before leaving the peekers
	peekLeft                   // left, before looking for what is to be freed
	deqKeeping                 // value taken beside a peeker, place not on its list
	deqKept                    // place on the list, before looking who is in
	numPoints
)
