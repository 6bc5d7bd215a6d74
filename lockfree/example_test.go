package lockfree_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/poundlock/poundlock/lockfree"
)

// Many producers, a few consumers, and an orderly end.
func Example() {
	var q lockfree.Queue[int]
	var sum int
	done := make(chan struct{})
	go func() {
		defer close(done)
		for v := range q.All(context.Background()) {
			sum += v
		}
	}()
	var producers sync.WaitGroup
	for p := range 4 {
		producers.Go(func() {
			for i := range 100 {
				_ = q.Enqueue(p*100 + i)
			}
		})
	}
	producers.Wait()
	_ = q.Close() // the consumer ends when the queue is drained
	<-done
	fmt.Println(sum)
	// Output: 79800
}

func ExampleQueue_Dequeue() {
	q := lockfree.New[string]()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := q.Dequeue(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))

	_ = q.Enqueue("a")
	_ = q.Close()
	v, err := q.Dequeue(context.Background())
	fmt.Println(v, err)
	_, err = q.Dequeue(context.Background())
	fmt.Println(err)
	// Output:
	// true
	// a <nil>
	// lockfree: queue closed
}

func ExampleQueue_DequeueBatch() {
	q := lockfree.New[int]()
	_, _ = q.EnqueueBatch([]int{1, 2, 3, 4, 5})
	buf := make([]int, 3)
	for range 2 {
		n, err := q.DequeueBatch(context.Background(), buf)
		fmt.Println(buf[:n], err)
	}
	// Output:
	// [1 2 3] <nil>
	// [4 5] <nil>
}

func ExampleQueue_Drain() {
	q := lockfree.New[int]()
	for i := range 3 {
		_ = q.Enqueue(i)
	}
	for v := range q.Drain() {
		fmt.Println(v)
	}
	// Output:
	// 0
	// 1
	// 2
}

func ExampleQueue_Stats() {
	q := lockfree.New[int]()
	_, _ = q.EnqueueBatch([]int{1, 2, 3})
	q.TryDequeue()
	s := q.Stats()
	fmt.Println(s.Enqueued, s.Dequeued, s.Len)
	// Output: 3 1 2
}

func ExampleBounded() {
	q := lockfree.Must(lockfree.NewBounded[int](2))
	fmt.Println(q.TryEnqueue(1), q.TryEnqueue(2))
	fmt.Println(q.TryEnqueue(3))
	go q.TryDequeue()
	fmt.Println(q.Enqueue(context.Background(), 3)) // waits for room
	// Output:
	// <nil> <nil>
	// lockfree: queue full
	// <nil>
}

func ExampleMSQueue() {
	var q lockfree.MSQueue[rune]
	_, _ = q.EnqueueBatch([]rune("lock")) // one step: nothing comes in between
	fmt.Println(q.Len())                  // exact at one moment
	for r := range q.Drain() {
		fmt.Print(string(r), " ")
	}
	// Output:
	// 4
	// l o c k
}

// The last lines of a log: a full queue drops the oldest.
func ExampleBounded_EnqueueDropOldest() {
	lines := lockfree.Must(lockfree.NewBounded[string](2))
	for _, line := range []string{"starting", "ready", "stopping"} {
		_, _ = lines.EnqueueDropOldest(line)
	}
	for line := range lines.Drain() {
		fmt.Println(line)
	}
	fmt.Println(lines.Stats().Dropped, "dropped")
	// Output:
	// ready
	// stopping
	// 1 dropped
}

func ExampleQueue_Peek() {
	q := lockfree.New[string]()
	_ = q.Enqueue("a")
	v, ok := q.Peek()
	fmt.Println(v, ok, q.Len())
	// Output: a true 1
}
