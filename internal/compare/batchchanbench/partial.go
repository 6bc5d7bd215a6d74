package batchchanbench

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/internal/compare"
)

// partials are the cases of batches of which some items are bad. The backend takes
// about 10 µs for a call, however many rows it has, and refuses a call with a bad row
// as a whole; it can also say which rows are bad. One row in 75 is.
func partials() []compare.Case {
	bench := func(run func(n int, db *refuser)) func(*testing.B) {
		return func(b *testing.B) {
			db := new(refuser)
			run(b.N, db)
			if bad := (b.N + badEvery - 1) / badEvery; db.bad != bad || db.good != b.N-bad {
				b.Fatalf("%d good and %d bad rows of %d", db.good, db.bad, b.N)
			}
			b.ReportMetric(float64(db.calls)/float64(b.N), "calls/op")
		}
	}
	return []compare.Case{newCase("partial/bad=1of75",
		"One op is one row, in batches of 100, of which one in 75 is bad and goes to a dead-letter function; a call of the backend takes about 10 µs.",
		[]compare.Impl{
			{Name: namePoundlock, Config: "Batcher, ItemErrors names the bad rows", Bench: bench(func(n int, db *refuser) {
				sendRows(n, db, batchchan.Retry{}, func(rows []int) error {
					if db.call(rows) == nil {
						return nil
					}
					var e batchchan.ItemErrors
					for i, v := range rows {
						if isBad(v) {
							e.Fail(i, errRow)
						}
					}
					db.good += len(rows) - e.Len() // one more call, without them
					db.work()
					return e.Err()
				})
			})},
			{Name: "poundlock-split", Config: "Batcher, Retry.Split", Bench: bench(func(n int, db *refuser) {
				sendRows(n, db, batchchan.Retry{Split: true}, db.call)
			})},
			{Name: "one-by-one", Config: "a refused batch is sent again row by row, as is done by hand", Bench: bench(func(n int, db *refuser) {
				sendRows(n, db, batchchan.Retry{}, func(rows []int) error {
					if db.call(rows) == nil {
						return nil
					}
					for i := range rows {
						if db.call(rows[i:i+1]) != nil {
							db.bad++
						}
					}
					return nil
				})
			})},
		}, "one-by-one")}
}

// badEvery is the distance between bad rows.
const badEvery = 75

func isBad(v int) bool { return v%badEvery == 1 }

var errRow = errors.New("bad row")

// refuser is the backend. One goroutine at a time uses it.
type refuser struct{ calls, good, bad, sink int }

// work takes as long as a call.
func (r *refuser) work() {
	r.calls++
	for i := range 20_000 {
		r.sink += i ^ r.sink
	}
}

func (r *refuser) call(rows []int) error {
	r.work()
	for _, v := range rows {
		if isBad(v) {
			return fmt.Errorf("row %d: %w", v, errRow)
		}
	}
	r.good += len(rows)
	return nil
}

// sendRows sends the rows 1 to n to a Batcher.
func sendRows(n int, db *refuser, retry batchchan.Retry, process func([]int) error) {
	b, err := batchchan.New(batchchan.Config[int]{
		MaxBatch: 100, Linger: linger, Retry: retry,
		OnError: func(_ context.Context, _ error, rows []int) { db.bad += len(rows) },
	}, func(_ context.Context, rows []int) error { return process(rows) })
	check(err)
	for i := range n {
		check(b.Send(bg, i+1))
	}
	_ = b.Close() // what failed is counted by OnError
}
