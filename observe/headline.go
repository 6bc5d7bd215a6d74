package observe

// Headlines are the numbers of an instrument that matter first. Each may be nil.
type Headlines struct {
	Rate   *Point   // what it does: the counter or distribution whose rate is shown
	Queue  *Point   // what waits or is in use: a gauge
	Cap    *Point   // the bound on Queue
	Wait   *Point   // the distribution of waits
	Errors []*Point // counters of what went wrong
}

// Headline chooses them by the names of the fields.
func Headline(in *Instrument) Headlines {
	h := Headlines{
		Rate:  first(in, Counter, rateKeys),
		Queue: first(in, Gauge, queueKeys),
		Wait:  first(in, Distribution, waitKeys),
	}
	if h.Rate == nil {
		h.Rate = anyOf(in, Counter)
	}
	if h.Queue == nil {
		h.Queue = anyOf(in, Gauge)
	}
	if h.Wait == nil {
		h.Wait = anyOf(in, Distribution)
	}
	if h.Queue != nil {
		h.Cap = first(in, Gauge, capsOf[h.Queue.Name])
	}
	for i := range in.Points {
		if p := &in.Points[i]; p.Kind == Counter && errorNames[p.Name] {
			h.Errors = append(h.Errors, p)
		}
	}
	return h
}

// The names, the most telling first. An instrument of one sort has one of each.
var (
	rateKeys = []string{
		"submitted", "acquires", "gets", "accepted", "enqueued", "sent", "acquired", "writes", "requests", "ended",
		"allocated_bytes", "count", "waits",
	}
	queueKeys = []string{
		"queued", "pending", "in_use", "len", "waiting", "in_flight", "retained", "active_readers", "running", "goroutines",
	}
	waitKeys = []string{
		"queue_wait", "wait_time", "wait", "write_wait", "age", "first_byte", "duration", "sched_wait",
	}
	capsOf = map[string][]string{
		"queued": {"queue_cap"}, "pending": {"max_pending"}, "in_use": {"max_open", "max_open_connections"}, "len": {"cap"},
		"retained": {"max"}, "running": {"limit"}, "in_flight": {"max_in_flight"},
	}
	errorNames = map[string]bool{
		"failed": true, "errors": true, "timeouts": true, "rejected": true, "dropped": true, "dropped_newest": true,
		"dropped_oldest": true, "undelivered": true, "panics": true, "handler_panics": true, "goexits": true,
		"dial_errors": true, "check_failures": true, "leaked": true, "breaches": true,
	}
)

func first(in *Instrument, k Kind, keys []string) *Point {
	for _, key := range keys {
		if p := in.Point(key); p != nil && p.Kind == k {
			return p
		}
	}
	return nil
}

func anyOf(in *Instrument, k Kind) *Point {
	for i := range in.Points {
		if p := &in.Points[i]; p.Kind == k && p.Reason == "" && p.Unit != Timestamp && !errorNames[p.Name] {
			return p
		}
	}
	return nil
}
