// Package list is the FIFO that waiting goroutines, free workers and due keys
// stand in: doubly linked, so that one whose ctx ends leaves from the middle, and
// intrusive, so that standing in it allocates nothing.
package list

import "iter"

// Node is one place in a [List]. Its owner embeds it, or holds it as a field,
// and sets Value, mostly to a pointer to itself, before the first push.
type Node[T any] struct {
	next, prev *Node[T]
	linked     bool
	Value      T // what stands here
}

// Linked reports whether n stands in a list.
func (n *Node[T]) Linked() bool { return n.linked }

// List is a FIFO of nodes; the zero value is empty and ready. A node stands in
// at most one list at a time. A List is not safe for concurrent use: its owner
// guards it, and its nodes with it.
type List[T any] struct {
	head, tail *Node[T]
	n          int
}

// Len returns how many nodes stand in l.
func (l *List[T]) Len() int { return l.n }

// Front returns the value of the oldest node, or the zero value of an empty list.
func (l *List[T]) Front() (v T) {
	if l.head != nil {
		v = l.head.Value
	}
	return v
}

// Back returns the value of the newest node, or the zero value of an empty list.
func (l *List[T]) Back() (v T) {
	if l.tail != nil {
		v = l.tail.Value
	}
	return v
}

// PushBack puts n behind all others. A node that stands in a list already would
// tear both apart: it panics.
func (l *List[T]) PushBack(n *Node[T]) {
	n.enter()
	n.prev, n.next = l.tail, nil
	if l.tail == nil {
		l.head = n
	} else {
		l.tail.next = n
	}
	l.tail = n
	l.n++
}

// PushFront puts n before all others. It panics as PushBack does.
func (l *List[T]) PushFront(n *Node[T]) {
	n.enter()
	n.prev, n.next = nil, l.head
	if l.head == nil {
		l.tail = n
	} else {
		l.head.prev = n
	}
	l.head = n
	l.n++
}

func (n *Node[T]) enter() {
	if n.linked {
		panic("list: the node stands in a list")
	}
	n.linked = true
}

// Remove takes n out. Nothing happens if n stands in no list; a node of another
// list must not be passed.
func (l *List[T]) Remove(n *Node[T]) {
	if !n.linked {
		return
	}
	if n.prev == nil {
		l.head = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.tail = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.next, n.prev, n.linked = nil, nil, false
	l.n--
}

// PopFront takes the oldest node out and returns its value, or the zero value of
// an empty list.
func (l *List[T]) PopFront() (v T) {
	if n := l.head; n != nil {
		v = n.Value
		l.Remove(n)
	}
	return v
}

// All yields the values, oldest first. The loop may remove the node it is at, and
// no other.
func (l *List[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for n := l.head; n != nil; {
			next := n.next
			if !yield(n.Value) {
				return
			}
			n = next
		}
	}
}
