package batchchan

import "time"

// RetryAfter returns err as the error of a processor whose backend has said when to
// come again (Retry-After in HTTP, RetryInfo in gRPC, 429 and 503 answers): the next
// attempt comes no earlier than d after this one. If err is nil it returns nil.
//
//	if resp.StatusCode == http.StatusTooManyRequests {
//		return batchchan.RetryAfter(errThrottled, 30*time.Second)
//	}
//
// d takes the place of the back-off where it is longer, up to Retry.MaxBackoff: a
// backend cannot make a batch wait for longer than that. A d that is not positive asks
// for nothing. Whether there is a next attempt is as with any error: MaxAttempts and
// Retryable decide, and a Flush ends this wait like others. Other batches are not
// held back; Config.RateLimit does that.
//
// Any error with the method RetryAfter() time.Duration says the same, found as by
// [errors.As]; of several in an errors.Join, or in the items that an [ItemErrors] marks
// with Retry, the longest counts.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, d}
}

type retryAfterError struct {
	error
	after time.Duration
}

func (e *retryAfterError) RetryAfter() time.Duration { return e.after }

func (e *retryAfterError) Unwrap() error { return e.error }

// asksFor returns how long err asks to wait for. What an ItemErrors says about its
// items is not part of that: some of them may have failed for good.
func asksFor(err error) (d time.Duration) {
	for err != nil {
		switch x := err.(type) {
		case interface{ RetryAfter() time.Duration }:
			return x.RetryAfter()
		case *ItemErrors:
			return 0
		case interface{ Unwrap() error }:
			err = x.Unwrap()
		case interface{ Unwrap() []error }:
			for _, e := range x.Unwrap() {
				d = max(d, asksFor(e))
			}
			return d
		default:
			return 0
		}
	}
	return 0
}
