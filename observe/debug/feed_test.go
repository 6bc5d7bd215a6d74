package debug_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/debug"
)

// watching is a client of the event stream in a bubble.
type watching struct {
	header http.Header
	hold   chan struct{} // a write waits for it; nil: none does
	events []sent
	left   context.CancelFunc
	ended  atomic.Bool // the stream has ended
	wg     sync.WaitGroup
}

// sent is an event. What only one event has is empty in others.
type sent struct {
	name string
	Rows []struct {
		Hints []struct{ Code string } `json:"h"`
	}
	M    drawnRows
	past []drawnRows
}

// drawnRows are what is drawn of all instruments at a moment.
type drawnRows struct {
	T int64
	R [][]*float64
}

func (w *watching) Header() http.Header { return w.header }
func (w *watching) WriteHeader(int)     {}
func (w *watching) Flush()              {}

func (w *watching) Write(p []byte) (int, error) {
	if w.hold != nil {
		<-w.hold
	}
	for event := range strings.SplitSeq(strings.TrimSpace(string(p)), "\n\n") {
		name, data, ok := strings.Cut(event, "\ndata: ")
		e, into := sent{name: strings.TrimPrefix(name, "event: ")}, any(nil)
		if into = &e; e.name == "history" {
			into = &e.past
		}
		if err := json.Unmarshal([]byte(data), into); err != nil || !ok {
			panic(fmt.Sprint("no event: ", event, err))
		}
		w.events = append(w.events, e)
	}
	return len(p), nil
}

// watch opens a stream.
func watch(t *testing.T, p http.Handler, hold chan struct{}) *watching {
	ctx, cancel := context.WithCancel(t.Context())
	w := &watching{header: http.Header{}, hold: hold, left: cancel}
	w.wg.Go(func() {
		defer w.ended.Store(true)
		p.ServeHTTP(w, httptest.NewRequest("GET", "/events", nil).WithContext(ctx))
	})
	return w
}

// leave closes the stream and returns the events.
func (w *watching) leave() []sent {
	w.left()
	w.wg.Wait()
	return w.events
}

func namesOf(events []sent) (names []string) {
	for _, e := range events {
		names = append(names, e.name)
	}
	return names
}

func newSource(t *testing.T, r *observe.Registry, name string) {
	t.Helper()
	_, err := observe.AddFunc(r, "app", name, func() stats { return stats{} })
	require.NoError(t, err)
}

func TestHistoryIsOfTheLastMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := registry(t)
		p := open(t, debug.Config{Registry: r})
		defer watch(t, p, nil).leave()
		time.Sleep(100*time.Second + 1)
		second := watch(t, p, nil)
		time.Sleep(1500 * time.Millisecond)
		events := second.leave()
		require.Equal(t, []string{"schema", "history", "tick", "tick"}, namesOf(events))
		past := append(events[1].past, events[2].M, events[3].M)
		require.Equal(t, 62, len(past))
		for i := 1; i < len(past); i++ {
			require.EqualValues(t, 1000, past[i].T-past[i-1].T, "each second once, the latest last")
		}

		newSource(t, r, "another")
		time.Sleep(3 * time.Second)
		third := watch(t, p, nil)
		synctest.Wait()
		events = third.leave()
		require.Equal(t, 2, len(events[1].past), "of another schema there is none")
		for _, at := range events[1].past {
			require.Len(t, at.R, 3)
		}
	})
}

// Who comes when the sampling has ended gets nothing of what it saw.
func TestWhoComesLaterSeesNothingOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, debug.Config{})
		first := watch(t, p, nil)
		time.Sleep(10 * time.Second)
		first.leave()
		time.Sleep(time.Hour)
		came := time.Now()
		second := watch(t, p, nil)
		time.Sleep(1500 * time.Millisecond)
		events := second.leave()
		require.Equal(t, []string{"schema", "tick", "tick"}, namesOf(events))
		require.Equal(t, came.UnixMilli(), events[1].M.T)
		// The other order of the two events: one who comes beside it finds the new history.
		third := watch(t, p, nil)
		synctest.Wait()
		events = third.leave()
		require.Equal(t, []string{"schema", "history", "tick"}, namesOf(events))
		require.Len(t, events[1].past, 1)
		require.Equal(t, came.UnixMilli(), events[1].past[0].T)
	})
}

// A client that could not be told of a new schema would take numbers for those of
// others. Its stream ends, and a browser comes again by itself.
func TestASlowClientMissesNoSchema(t *testing.T) {
	for _, seconds := range []int{2, 20} { // that the client is behind when the schema changes
		synctest.Test(t, func(t *testing.T) {
			r := registry(t)
			p := open(t, debug.Config{Registry: r})
			hold := make(chan struct{})
			slow := watch(t, p, hold)
			time.Sleep(time.Duration(seconds)*time.Second + 1)
			newSource(t, r, "another")
			time.Sleep(2 * time.Second)
			close(hold)
			time.Sleep(2 * time.Second)
			require.Equal(t, seconds == 20, slow.ended.Load(), "too far behind")
			events, rows := slow.leave(), 0
			require.Equal(t, "schema", events[0].name)
			for _, e := range events {
				if e.name == "schema" {
					rows = len(e.Rows)
				}
				require.Len(t, e.Rows, rows, "a tick is of the schema before it")
			}
			require.Equal(t, map[bool]int{false: 3, true: 2}[seconds == 20], rows)

			again := watch(t, p, nil)
			synctest.Wait()
			require.Len(t, again.leave()[0].Rows, 3)
		})
	}
}

// queue is a source whose waits are told.
type queue struct{ wait observe.Histogram }

type queueStats struct {
	Queued int             `json:"queued"`
	Cap    int             `json:"queue_cap"`
	Wait   observe.Latency `json:"queue_wait"`
}

func (q *queue) Stats() queueStats { return queueStats{Queued: 3, Wait: q.wait.Latency()} }

func (q *queue) Histograms() iter.Seq2[string, func(*observe.Snapshot)] {
	return func(yield func(string, func(*observe.Snapshot)) bool) { yield("queue_wait", q.wait.AddTo) }
}

// Waits that grow by 8 % a second double in none, but do between now and 15 to 30 s ago.
func TestHintsCompareWithAWhileAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(observe.Registry)
		q := new(queue)
		_, err := observe.Add(r, "orders", q)
		require.NoError(t, err)
		p := open(t, debug.Config{Registry: r})
		w := watch(t, p, nil)
		const grows, stays = 40, 60 // seconds
		wait := 20 * time.Millisecond
		for i := range grows + stays {
			time.Sleep(time.Second)
			for range 20 {
				q.wait.Record(wait)
			}
			if i < grows {
				wait = wait * 108 / 100
			}
		}
		var hinted []int
		second := -1
		for _, e := range w.leave() {
			if e.name != "tick" {
				continue
			}
			second++
			for _, h := range e.Rows[0].Hints {
				if h.Code == "waits-grow" {
					hinted = append(hinted, second)
				}
			}
		}
		require.Greater(t, second, grows+stays-3)
		for s := 32; s <= grows; s++ {
			require.Contains(t, hinted, s, "while they grow")
		}
		require.NotEmpty(t, hinted)
		require.Greater(t, hinted[0], 15, "there is nothing to compare with before")
		require.Less(t, hinted[len(hinted)-1], grows+31, "and not when they have not grown for 30 s")
	})
}

// A bound of 0 is none: nothing is drawn at the bottom.
func TestABoundOf0IsNotDrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(observe.Registry)
		for _, most := range []int{0, 9} {
			_, err := observe.AddFunc(r, "app", fmt.Sprint("cap ", most), func() queueStats { return queueStats{Queued: 3, Cap: most} })
			require.NoError(t, err)
		}
		w := watch(t, open(t, debug.Config{Registry: r}), nil)
		synctest.Wait()
		tick := w.leave()[1]
		require.EqualValues(t, 3, *tick.M.R[0][1])
		require.Nil(t, tick.M.R[0][2])
		require.EqualValues(t, 9, *tick.M.R[1][2])
	})
}
