package batchchan

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// ItemErrors says which items of a batch failed, so that the others count as
// done. A processor makes one, names the items by their index in the slice that
// it was given, and returns Err:
//
//	var failed batchchan.ItemErrors
//	for i, row := range rows {
//		failed.Fail(i, insert(row))
//	}
//	return failed.Err()
//
// Items that it marks with Fail go to Config.OnError, each by itself with its own
// error. Items that it marks with Retry are given to the processor again, as a
// smaller batch and alone, as long as Config.Retry allows; then they fail like the
// others. Config.Retry.Retryable and Split have no say in it.
//
// The zero value is empty and ready to use. It is recognised with [errors.As], so
// it may be wrapped. An index outside the batch makes the whole rest of the batch
// fail. An ItemErrors must not be used by several goroutines at the same time.
type ItemErrors struct {
	entries []itemError
	sorted  bool
}

type itemError struct {
	index int
	err   error
	retry bool
}

// Fail says that the item with that index failed for good. A nil err does
// nothing. What is said last about an index counts.
func (e *ItemErrors) Fail(index int, err error) { e.add(itemError{index, err, false}) }

// Retry says that the item with that index failed and is worth another attempt. A
// nil err does nothing. What is said last about an index counts.
func (e *ItemErrors) Retry(index int, err error) { e.add(itemError{index, err, true}) }

func (e *ItemErrors) add(x itemError) {
	if x.err != nil {
		e.entries = append(e.entries, x)
		e.sorted = false
	}
}

// with adds x to e, which may be nil, and returns e.
func (e *ItemErrors) with(x itemError) *ItemErrors {
	if e == nil {
		e = new(ItemErrors)
	}
	e.add(x)
	return e
}

// Err returns e, or nil if no item failed.
func (e *ItemErrors) Err() error {
	if e == nil || len(e.entries) == 0 {
		return nil
	}
	return e
}

// Len returns how many items failed.
func (e *ItemErrors) Len() int { return len(e.sort()) }

// All returns an iterator over the items that failed, by index.
func (e *ItemErrors) All() iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for _, x := range e.sort() {
			if !yield(x.index, x.err) {
				return
			}
		}
	}
}

// Error says how many items failed and why the first did.
func (e *ItemErrors) Error() string {
	all := e.sort()
	if len(all) == 0 {
		return "batchchan: no item failed"
	}
	if len(all) == 1 {
		return fmt.Sprintf("batchchan: item %d failed: %v", all[0].index, all[0].err)
	}
	return fmt.Sprintf("batchchan: %d items failed, the first is item %d: %v", len(all), all[0].index, all[0].err)
}

// Unwrap returns the errors of the items, by index.
func (e *ItemErrors) Unwrap() []error {
	var errs []error
	for _, x := range e.sort() {
		errs = append(errs, x.err)
	}
	return errs
}

// sort returns the entries by index, the last of each.
func (e *ItemErrors) sort() []itemError {
	if e == nil {
		return nil
	}
	if !e.sorted {
		slices.SortStableFunc(e.entries, func(a, b itemError) int { return cmp.Compare(a.index, b.index) })
		kept := e.entries[:0]
		for i, x := range e.entries {
			if i+1 == len(e.entries) || e.entries[i+1].index != x.index {
				kept = append(kept, x)
			}
		}
		e.entries, e.sorted = kept, true
	}
	return e.entries
}
