package survive_test

import (
	"syscall"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

const (
	workers = 4
	ahead   = 4
	held    = workers + ahead
)

func busy(task time.Duration) role { return role{Workers: workers, Ahead: ahead, Task: task} }

// Workers die and are replaced; messages fail meanwhile, and an order per key is
// asked for.
func TestKilledWorkers(t *testing.T) {
	t.Parallel()
	for name, double := range map[string]bool{"plain": false, "double": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, t.TempDir(), 0)
			r := newRun(t, s.url, 1, time.Second)
			w := busy(5 * time.Millisecond)
			w.FailEvery, w.DoubleAck, w.Key = 40, double, double
			first, second := r.worker(w), r.worker(w)
			p := r.publish(role{Last: 800, Keys: 50})
			first.await("start", 60)
			first.murder()
			third := r.worker(w)
			second.await("start", 150)
			second.end()
			third.await("start", 60)
			third.murder()
			r.worker(w)
			require.NoError(t, p.wait())
			require.LessOrEqual(t, r.check(), 2*held)
		})
	}
}

// A rolling restart: what SIGTERM finds running is finished, what it finds waiting
// goes to others at once, though AckWait is a minute, and nothing runs twice.
func TestSIGTERMRepeatsNothing(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir(), 0)
	r := newRun(t, s.url, 1, time.Minute)
	p := r.publish(role{Last: 600})
	old := r.worker(busy(20 * time.Millisecond))
	returned := uint64(0)
	for range 3 {
		old.await("start", 40)
		next := r.worker(busy(20 * time.Millisecond))
		began := time.Now()
		old.end()
		require.Less(t, time.Since(began), 20*time.Second)
		returned += old.stats().Returned
		old = next
	}
	require.NoError(t, p.wait())
	require.Zero(t, r.check())
	require.NotZero(t, returned, "nothing waited when SIGTERM came: the test tests nothing")
}

// The server dies under publishers and workers, twice.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]njs.RetentionPolicy{"work queue": njs.WorkQueuePolicy, "kept": njs.LimitsPolicy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, t.TempDir(), 0)
			r := newRunOn(t, keep, s.url, 1, time.Second)
			r.worker(busy(5 * time.Millisecond))
			r.worker(busy(5 * time.Millisecond))
			p := r.publish(role{Last: 800, Keys: 100})
			for i := range 2 {
				p.await("acked", 250*(i+1))
				r.killServer(s)
				s.start()
				r.back()
			}
			require.NoError(t, p.wait())
			// It writes what was acknowledged a little later: more than what was held then.
			require.Less(t, r.check(), 200)
		})
	}
}

// The publisher dies; another one sends all again, with the same IDs.
func TestKilledPublisher(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir(), 0)
	r := newRun(t, s.url, 1, time.Second)
	dying := r.publish(role{Last: 100_000})
	dying.await("acked", 100)
	dying.murder()
	acked, tried := dying.count("acked"), dying.count("try")
	require.Less(t, acked, tried)
	p := r.publish(role{Last: tried + 50})
	require.NoError(t, p.wait())
	i, err := r.info()
	require.NoError(t, err)
	require.EqualValues(t, tried+50, i.NumPending, "stored once each")
	r.worker(busy(0))
	require.Zero(t, r.check())
}

// A worker is frozen for longer than AckWait. Another has its messages then: the
// first finds out when it goes on, and tells the server nothing about them.
func TestFrozenWorkerDoesNotAckWhatOthersHave(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir(), 0)
	r := newRun(t, s.url, 1, time.Second)
	p := r.publish(role{Last: held})
	require.NoError(t, p.wait())
	frozen := r.worker(busy(500 * time.Millisecond))
	frozen.await("start", workers)
	frozen.signal(syscall.SIGSTOP)
	frozen.excused = true
	slow := role{Workers: held, Ahead: -1, Task: time.Hour}
	other := r.worker(slow)
	other.await("start", held) // after AckWait
	frozen.signal(syscall.SIGCONT)
	frozen.end()
	got := frozen.stats()
	require.Zero(t, got.Acked+got.Failed+got.Returned, "%+v", got)
	require.EqualValues(t, held, got.Lost, "%+v", got)
	i, err := r.info()
	require.NoError(t, err)
	require.Equal(t, held, i.NumAckPending, "the other still has them")
	other.murder()
	r.worker(busy(0))
	require.LessOrEqual(t, r.check(), workers+held)
}
