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
	db := openDB() // sql.Open("pgx", dsn)
	defer db.Close()
	type row struct {
		id   int
		name string
	}
	inserts, err := batchchan.New(batchchan.Config[row]{
		MaxBatch: 500,
		Retry: batchchan.Retry{
			MaxAttempts: 3,
			Retryable:   func(err error) bool { return !errors.Is(err, errCheck) },
		},
		OnError: func(_ context.Context, err error, rows []row) { fmt.Println("lost", len(rows), "rows:", err) },
	}, func(ctx context.Context, batch []row) error {
		statement := "INSERT INTO users (id, name) VALUES " + strings.Repeat("(?, ?), ", len(batch)-1) + "(?, ?)"
		args := make([]any, 0, 2*len(batch))
		for _, r := range batch {
			args = append(args, r.id, r.name)
		}
		_, err := db.ExecContext(ctx, statement, args...)
		return err
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
	var rows int
	if err := db.QueryRow("SELECT count(*) FROM users").Scan(&rows); err != nil {
		panic(err)
	}
	fmt.Println(rows, "rows inserted")
	// Output: 1000 rows inserted
}

// One statement inserts many rows. When the database refuses it because of some of
// them, the others are inserted all the same, and each bad row goes to a dead-letter
// table with its own error.
func ExampleItemErrors() {
	db := openDB() // sql.Open("pgx", dsn), with CHECK (qty > 0)
	defer db.Close()
	type row struct {
		id  int
		qty int
	}
	insert := func(ctx context.Context, rows []row) error {
		statement := "INSERT INTO orders (id, qty) VALUES " + strings.Repeat("(?, ?), ", len(rows)-1) + "(?, ?)"
		args := make([]any, 0, 2*len(rows))
		for _, r := range rows {
			args = append(args, r.id, r.qty)
		}
		_, err := db.ExecContext(ctx, statement, args...)
		return err
	}
	inserts, err := batchchan.New(batchchan.Config[row]{
		MaxBatch: 100,
		Retry:    batchchan.Retry{MaxAttempts: 3},
		OnError: func(_ context.Context, err error, rows []row) {
			fmt.Println("dead letter:", rows, err)
		},
	}, func(ctx context.Context, rows []row) error {
		if err := insert(ctx, rows); !errors.Is(err, errCheck) {
			return err // nil, or no row is to blame: try all again
		}
		var failed batchchan.ItemErrors
		for i := range rows {
			failed.Fail(i, insert(ctx, rows[i:i+1]))
		}
		return failed.Err()
	})
	if err != nil {
		panic(err)
	}
	for i := range 300 {
		if err := inserts.Send(context.Background(), row{id: i, qty: (i + 72) % 75}); err != nil {
			panic(err)
		}
	}
	fmt.Println(inserts.Close())
	var rows int
	if err := db.QueryRow("SELECT count(*) FROM orders").Scan(&rows); err != nil {
		panic(err)
	}
	fmt.Println(rows, "rows inserted")
	// Output:
	// dead letter: [{3 0}] violates check constraint qty_positive
	// dead letter: [{78 0}] violates check constraint qty_positive
	// dead letter: [{153 0}] violates check constraint qty_positive
	// dead letter: [{228 0}] violates check constraint qty_positive
	// batchchan: 4 items failed, the first: violates check constraint qty_positive
	// 296 rows inserted
}

// The backend only says that a batch is bad: Split finds out which items are.
func ExampleRetry_split() {
	b, _ := batchchan.New(batchchan.Config[int]{
		Linger: -1,
		Retry:  batchchan.Retry{Split: true},
		OnError: func(_ context.Context, err error, items []int) {
			fmt.Println(items, err)
		},
	}, func(_ context.Context, items []int) error {
		for _, v := range items {
			if v == 13 {
				return errors.New("bad request")
			}
		}
		return nil
	})
	for i := range 64 {
		_ = b.Send(context.Background(), i)
	}
	fmt.Println(b.Close())
	fmt.Println(b.Stats().Succeeded, "succeeded with", b.Stats().Retried+1, "calls")
	// Output:
	// [13] bad request
	// batchchan: 1 items failed, the first: bad request
	// 63 succeeded with 13 calls
}

// perSecond is a Limiter as simple as can be. In its place use a *rate.Limiter of
// golang.org/x/time/rate:
//
//	RateLimit: rate.NewLimiter(10, 1) // ten batches a second
type perSecond struct{ next time.Time }

func (l *perSecond) Wait(ctx context.Context) error {
	select {
	case <-time.After(time.Until(l.next)):
		l.next = time.Now().Add(10 * time.Millisecond)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A backend that throttles gets no more calls than it allows; the batches become
// larger meanwhile.
func ExampleRetryAfter() {
	throttled := errors.New("too many requests")
	calls := 0
	b := batchchan.Must(batchchan.New(batchchan.Config[string]{
		Retry: batchchan.Retry{MaxAttempts: 3, Backoff: time.Millisecond, MaxBackoff: time.Minute},
	}, func(context.Context, []string) error {
		if calls++; calls == 1 {
			return batchchan.RetryAfter(throttled, 20*time.Millisecond) // from the answer's Retry-After
		}
		return nil
	}))
	start := time.Now()
	b.Send(context.Background(), "span")
	err := b.Close()
	fmt.Println(calls, err, time.Since(start) >= 20*time.Millisecond)
	// Output: 2 <nil> true
}

func ExampleLimiter() {
	b, _ := batchchan.New(batchchan.Config[int]{RateLimit: &perSecond{}}, func(_ context.Context, items []int) error {
		return nil
	})
	for i := range 1000 {
		_ = b.Send(context.Background(), i)
	}
	fmt.Println(b.Close(), b.Stats().Succeeded)
	// Output: <nil> 1000
}

// Handlers that ask for the same user at the same time share one row of the query.
func ExampleNewMergingCaller() {
	users, _ := batchchan.NewMergingCaller(
		batchchan.CallerConfig[int]{CacheFor: time.Second}, // without it only requests that meet are merged
		func(id int) int { return id },
		func(_ context.Context, ids []int, users []batchchan.Result[string]) error {
			fmt.Println("SELECT ... WHERE id IN", ids)
			for i, id := range ids {
				users[i].Value = fmt.Sprint("user ", id)
			}
			return nil
		})
	for range 20 {
		_, _ = users.Do(context.Background(), 7)
	}
	users.Forget(7) // it was changed
	fmt.Println(users.Do(context.Background(), 7))
	_ = users.Close()
	// Output:
	// SELECT ... WHERE id IN [7]
	// SELECT ... WHERE id IN [7]
	// user 7 <nil>
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
	for batch, err := range q.All(context.Background()) {
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
	for square, err := range p.All(context.Background()) {
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
	for v, err := range c.All(context.Background()) {
		if err != nil {
			break
		}
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
