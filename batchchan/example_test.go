package batchchan_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/poundlock/poundlock/batchchan"
)

// Span is what a tracer records.
type Span struct{ Name string }

// Export spans in batches of 100, or after 5 seconds, and what is left at the
// end.
func ExampleBatcher_exportSpans() {
	exporter, err := batchchan.New(batchchan.Config[Span]{
		Name:       "spans",
		MaxBatch:   100,
		Linger:     5 * time.Second,
		MaxPending: 2048,
		Overflow:   batchchan.DropOldest, // never slow down what is traced
		Timeout:    30 * time.Second,
		Retry:      batchchan.Retry{MaxAttempts: 5, Backoff: time.Second},
	}, func(ctx context.Context, spans []Span) error {
		fmt.Println("export", len(spans), "spans")
		return nil // send(ctx, spans)
	})
	if err != nil {
		panic(err)
	}

	ctx := context.Background()
	for i := range 250 {
		if err := exporter.Send(ctx, Span{Name: fmt.Sprint("request ", i)}); err != nil {
			panic(err)
		}
	}
	stop, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if lost, err := exporter.Shutdown(stop); err != nil {
		fmt.Println(len(lost), "spans not exported:", err)
	}
	s := exporter.Stats()
	fmt.Println(s.Succeeded, "exported,", s.FlushedSize, "full batches,", s.FlushedClose, "at the end")
	// Output:
	// export 100 spans
	// export 100 spans
	// export 50 spans
	// 250 exported, 2 full batches, 1 at the end
}

// Insert rows with one statement per batch: at once when the database is free,
// many at a time when it is not.
func ExampleBatcher_databaseInserts() {
	type row struct {
		id   int
		name string
	}
	rows := 0
	inserts, err := batchchan.New(batchchan.Config[row]{
		MaxBatch: 500,
		Retry: batchchan.Retry{
			MaxAttempts: 3,
			Retryable:   func(err error) bool { return !errors.Is(err, errors.ErrUnsupported) },
		},
		OnError: func(_ context.Context, err error, rows []row) { fmt.Println("lost", len(rows), "rows:", err) },
	}, func(ctx context.Context, batch []row) error {
		statement := "INSERT INTO users (id, name) VALUES " + strings.Repeat("(?, ?), ", len(batch)-1) + "(?, ?)"
		args := make([]any, 0, 2*len(batch))
		for _, r := range batch {
			args = append(args, r.id, r.name)
		}
		_, _ = statement, args // _, err := db.ExecContext(ctx, statement, args...)
		rows += len(batch)
		return nil
	})
	if err != nil {
		panic(err)
	}
	for i := range 1000 {
		if err := inserts.Send(context.Background(), row{i, "name"}); err != nil {
			panic(err)
		}
	}
	if err := inserts.Close(); err != nil { // waits for the last insert
		panic(err)
	}
	fmt.Println(rows, "rows inserted")
	// Output: 1000 rows inserted
}

// Each goroutine that sends much takes a lane of its own.
func ExampleProducer() {
	sum := 0
	b, _ := batchchan.New(batchchan.Config[int]{MaxBatch: 1000, Linger: time.Second}, func(_ context.Context, items []int) error {
		for _, v := range items {
			sum += v
		}
		return nil
	})
	p := b.Producer()
	for i := range 10_000 {
		_ = p.Send(context.Background(), i)
	}
	_ = b.Close()
	fmt.Println(sum)
	// Output: 49995000
}

func ExampleQueue() {
	q, _ := batchchan.NewQueue(batchchan.Config[string]{MaxBatch: 2, Linger: time.Second})
	for _, s := range []string{"a", "b", "c"} {
		_ = q.Send(context.Background(), s)
	}
	_ = q.Close()
	for batch, err := range q.Batches(context.Background()) {
		if err != nil {
			break
		}
		fmt.Println(batch.Items, batch.Reason())
	}
	// Output:
	// [a b] BySize
	// [c] ByClose
}

func ExamplePipe() {
	p, _ := batchchan.NewPipe(batchchan.PipeConfig[int]{
		Config:  batchchan.Config[int]{MaxBatch: 2, Workers: 4},
		Ordered: true,
	}, func(_ context.Context, in []int, out []string) ([]string, error) {
		for _, v := range in {
			out = append(out, fmt.Sprint(v*v))
		}
		return out, nil
	})
	go func() {
		for i := range 5 {
			_ = p.Send(context.Background(), i)
		}
		p.CloseSend()
	}()
	for square, err := range p.Results(context.Background()) {
		fmt.Println(square, err)
	}
	// Output:
	// 0 <nil>
	// 1 <nil>
	// 4 <nil>
	// 9 <nil>
	// 16 <nil>
}

// Many handlers look up one user each; the database sees one query for all that
// come while it is busy.
func ExampleCaller() {
	users, _ := batchchan.NewCaller(batchchan.Config[int]{MaxBatch: 100},
		func(_ context.Context, ids []int, users []batchchan.Result[string]) error {
			for i, id := range ids { // SELECT ... WHERE id IN (...)
				if id == 0 {
					users[i].Err = errors.New("no such user")
				} else {
					users[i].Value = fmt.Sprint("user ", id)
				}
			}
			return nil
		})
	fmt.Println(users.Do(context.Background(), 7))
	_, err := users.Do(context.Background(), 0)
	fmt.Println(err)
	_ = users.Close()
	// Output:
	// user 7 <nil>
	// no such user
}

func ExampleKeyed() {
	type event struct {
		account string
		amount  int
	}
	k, _ := batchchan.NewKeyed(batchchan.KeyedConfig[event]{Config: batchchan.Config[event]{MaxBatch: 10, Linger: time.Second}},
		func(e event) string { return e.account },
		func(_ context.Context, account string, events []event) error {
			sum := 0
			for _, e := range events {
				sum += e.amount
			}
			fmt.Println(account, len(events), sum)
			return nil
		})
	for i := range 20 {
		_ = k.Send(context.Background(), event{"anna", i})
	}
	_ = k.Close()
	// Output:
	// anna 10 45
	// anna 10 145
}

func ExampleChan() {
	c := batchchan.NewChan[int](8)
	go func() {
		defer c.Close() // safe, whoever still sends
		for i := range 3 {
			if err := c.Send(context.Background(), i); err != nil {
				return
			}
		}
	}()
	for v := range c.All() {
		fmt.Println(v)
	}
	fmt.Println(c.Send(context.Background(), 3))
	// Output:
	// 0
	// 1
	// 2
	// batchchan: closed
}

func ExampleChan_C() {
	c := batchchan.NewChan[int](8)
	_ = c.TrySend(1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	select {
	case v := <-c.C(ctx):
		fmt.Println(v)
	case <-time.After(time.Minute):
		fmt.Println("nothing came")
	}
	// Output: 1
}
