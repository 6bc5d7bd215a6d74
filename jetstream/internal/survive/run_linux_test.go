package survive_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
)

// run is one scenario: processes that share a server or a cluster.
type run struct {
	t     *testing.T
	urls  string
	js    njs.JetStream
	procs []*actor

	kills []outage // of servers: acknowledgements may be lost with them
}

// outage is from the end of a server until the consumer has a leader again, which
// takes a loaded machine many seconds.
type outage struct{ began, over time.Time }

// actor is a worker or publisher process.
type actor struct {
	*process
	role    role
	excused bool // it was killed or frozen: what it had is delivered again
}

// newRun makes the streams and the consumer.
func newRun(t *testing.T, urls string, replicas int, ackWait time.Duration) *run {
	t.Helper()
	return newRunOn(t, njs.WorkQueuePolicy, urls, replicas, ackWait)
}

// newRunOn is newRun with tasks on a stream that may keep those that were handled.
func newRunOn(t *testing.T, keep njs.RetentionPolicy, urls string, replicas int, ackWait time.Duration) *run {
	t.Helper()
	r := &run{t: t, urls: urls}
	t.Cleanup(r.tell)
	_, r.js = connect(t, urls)
	require.Eventually(t, func() bool { // a cluster finds its leaders first
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		for _, c := range r.streams(keep, replicas) {
			if _, err := r.js.CreateOrUpdateStream(ctx, c); err != nil {
				return false
			}
		}
		_, err := r.js.CreateOrUpdateConsumer(ctx, "TASKS", njs.ConsumerConfig{
			Durable: "workers", AckPolicy: njs.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: 1000,
		})
		return err == nil
	}, patience, 50*time.Millisecond)
	return r
}

// tell says, when the test has failed, how far each process came.
func (r *run) tell() {
	if !r.t.Failed() {
		return
	}
	for _, a := range r.procs {
		n := map[string]int{}
		for _, e := range a.events() {
			n[e.what]++
		}
		r.t.Logf("%+v: %v", a.role, n)
	}
}

// streams are the tasks, and the effects of the work.
func (r *run) streams(keep njs.RetentionPolicy, replicas int) []njs.StreamConfig {
	return []njs.StreamConfig{
		{Name: "TASKS", Subjects: []string{"tasks.>"}, Retention: keep, Replicas: replicas, Duplicates: 10 * time.Minute},
		{Name: "DONE", Subjects: []string{"done.>"}, Replicas: replicas, Duplicates: 10 * time.Minute},
	}
}

// actor starts a process with a role.
func (r *run) actor(what role) *actor {
	r.t.Helper()
	what.URL, what.Events = r.urls, filepath.Join(r.t.TempDir(), "events")
	s, err := json.Marshal(what)
	require.NoError(r.t, err)
	a := &actor{role: what, process: newProcess(r.t, os.Args[0], []string{"-test.run=^$"}, []string{roleVar + "=" + string(s)})}
	a.start()
	r.procs = append(r.procs, a)
	return a
}

// worker starts a worker and waits until it works.
func (r *run) worker(what role) *actor {
	r.t.Helper()
	a := r.actor(what)
	a.await("ready", 1)
	return a
}

// publish starts a publisher.
func (r *run) publish(what role) *actor {
	r.t.Helper()
	what.Publish = true
	return r.actor(what)
}

// murder is kill -9.
func (a *actor) murder() {
	a.t.Helper()
	a.excused = true
	a.kill()
}

// end is SIGTERM: the process must end by itself, soon and clean.
func (a *actor) end() {
	a.t.Helper()
	a.signal(syscall.SIGTERM)
	require.NoError(a.t, a.wait())
	a.cmd = nil
}

// event is a line that a process wrote.
type event struct {
	what, id  string
	delivered int
	at        time.Time // of a start
	rest      string
}

func (a *actor) events() (all []event) {
	b, err := os.ReadFile(a.role.Events)
	if err != nil {
		return nil // it has not come that far
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		f := strings.SplitN(lines.Text(), " ", 3)
		e := event{what: f[0]}
		if len(f) > 1 {
			e.id = f[1]
			e.rest = strings.Join(f[1:], " ")
		}
		if len(f) > 2 {
			numbers := strings.Fields(f[2])
			e.delivered, _ = strconv.Atoi(numbers[0])
			if e.what == "start" {
				ms, _ := strconv.ParseInt(numbers[1], 10, 64)
				e.at = time.UnixMilli(ms)
			}
		}
		all = append(all, e)
	}
	return all
}

// count is how many events of a kind there are.
func (a *actor) count(what string) (n int) {
	for _, e := range a.events() {
		if e.what == what {
			n++
		}
	}
	return n
}

// await waits until the process has written n events of a kind.
func (a *actor) await(what string, n int) {
	a.t.Helper()
	require.Eventually(a.t, func() bool { return a.count(what) >= n }, patience, 5*time.Millisecond, "%s × %d", what, n)
}

// stats are what a worker said at its end.
func (a *actor) stats() (s jetstream.Stats) {
	a.t.Helper()
	for _, e := range a.events() {
		if e.what == "stats" {
			require.NoError(a.t, json.Unmarshal([]byte(e.rest), &s))
			return s
		}
	}
	a.t.Fatal("no stats")
	return s
}

// info is the consumer's.
func (r *run) info() (*njs.ConsumerInfo, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c, err := r.js.Consumer(ctx, "TASKS", "workers")
	if err != nil {
		return nil, err
	}
	return c.CachedInfo(), nil
}

// drained waits until nothing is left to deliver or to be acknowledged.
func (r *run) drained() {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		i, err := r.info()
		return err == nil && i.NumPending == 0 && i.NumAckPending == 0
	}, patience, 20*time.Millisecond)
}

// done returns how many effects of each message are stored.
func (r *run) done() map[string]int {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := r.js.Stream(ctx, "DONE")
	require.NoError(r.t, err)
	i, err := s.Info(ctx, njs.WithSubjectFilter("done.>"))
	require.NoError(r.t, err)
	all := map[string]int{}
	for subject, n := range i.State.Subjects {
		all[subject[len("done."):]] += int(n)
	}
	return all
}

// check waits for the end of the work, ends the processes and compares the ledger
// with what was published and what was started. It returns how many calls of
// handlers were repeated.
func (r *run) check() (repeated int) {
	t := r.t
	t.Helper()
	r.drained()
	for _, a := range r.procs {
		if a.cmd != nil && !a.role.Publish {
			a.end()
		}
	}
	done, tried := r.done(), map[string]bool{}
	for _, a := range r.procs {
		for _, e := range a.events() {
			switch e.what {
			case "try":
				tried[e.id] = true
			case "acked":
				require.Equal(t, 1, done[e.id], "effects of message %s, which was acknowledged", e.id)
			case "error":
				t.Errorf("publish: %s", e.rest)
			}
		}
	}
	require.NotEmpty(t, done)
	for id, n := range done {
		require.Equal(t, 1, n, "effects of message %s", id)
		require.True(t, tried[id], "message %s was never published", id)
	}
	repeated = r.explained()
	t.Logf("%d messages, %d calls repeated", len(done), repeated)
	return repeated
}

// killServer is kill -9. back waits for what comes after it.
func (r *run) killServer(s *server) {
	r.kills = append(r.kills, outage{began: time.Now()})
	s.kill()
}

// back waits until the server that was killed, or the others of its cluster, serve
// the consumer.
func (r *run) back() {
	r.t.Helper()
	r.leader()
	require.Eventually(r.t, func() bool {
		_, err := r.info()
		return err == nil
	}, patience, 20*time.Millisecond)
	r.kills[len(r.kills)-1].over = time.Now()
}

// forgotten says whether a server that died may not have written that a message was
// delivered and acknowledged, which was started at that time: it does so soon, and
// processes go on with what they have until there is a server again, and a while after.
func (r *run) forgotten(at time.Time) bool {
	const soon = 3 * time.Second
	return slices.ContainsFunc(r.kills, func(k outage) bool { return at.After(k.began.Add(-soon)) && at.Before(k.over.Add(soon)) })
}

// explained asserts that a message was started again only where it had failed, where
// the process that had it had died or was frozen, or where the server died soon after;
// and that no delivery was started twice.
func (r *run) explained() (repeated int) {
	type start struct {
		by     *actor
		failed bool
		at     time.Time
	}
	starts := map[string]map[int]start{} // by message and delivery
	again := 0
	for _, a := range r.procs {
		for _, e := range a.events() {
			switch e.what {
			case "start":
				if starts[e.id] == nil {
					starts[e.id] = map[int]start{}
				}
				if first, twice := starts[e.id][e.delivered]; twice {
					again++ // a server that died forgets how often it has delivered
					require.True(r.t, r.forgotten(first.at) || r.forgotten(e.at), "delivery %d of message %s was started twice", e.delivered, e.id)
				}
				starts[e.id][e.delivered] = start{by: a, at: e.at}
			case "fail":
				s := starts[e.id][e.delivered]
				s.failed = true
				starts[e.id][e.delivered] = s
			}
		}
	}
	for id, by := range starts {
		order := make([]int, 0, len(by))
		for delivered := range by {
			order = append(order, delivered)
		}
		slices.Sort(order)
		for _, delivered := range order[:len(order)-1] {
			s := by[delivered]
			if !s.failed {
				again++
			}
			require.True(r.t, s.failed || s.by.excused || r.forgotten(s.at),
				"message %s was started again after delivery %d to a process that lives", id, delivered)
		}
	}
	return again
}
