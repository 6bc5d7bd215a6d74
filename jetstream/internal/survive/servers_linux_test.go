package survive_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// The leader of a replicated stream dies under publishers and workers, comes back,
// and the next one dies.
func TestKilledLeader(t *testing.T) {
	t.Parallel()
	servers := startCluster(t)
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.url)
	}
	r := newRun(t, strings.Join(urls, ","), 3, 2*time.Second)
	w := busy(5 * time.Millisecond)
	w.DoubleAck = true
	r.worker(w)
	r.worker(busy(5 * time.Millisecond))
	p := r.publish(role{Last: 500, Keys: 50})
	for i := range 2 {
		p.await("acked", 150*(i+1)) // of a worker that is no measure: the other may be faster
		leader := servers[r.leader()]
		r.killServer(leader)
		r.back()
		leader.start()
	}
	require.NoError(t, p.wait())
	require.LessOrEqual(t, r.check(), 2*2*held)
}

// leader returns which server leads the work queue, when one does.
func (r *run) leader() (n int) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		s, err := r.js.Stream(ctx, "TASKS")
		if err != nil {
			return false
		}
		c := s.CachedInfo().Cluster
		if c == nil { // the server stands alone
			return true
		}
		if c.Leader == "" {
			return false
		}
		n = int(c.Leader[1] - '0')
		return true
	}, patience, 20*time.Millisecond)
	return n
}

// The work queue is as full as it may be: publishers are held up, and what they
// have goes in when there is room.
func TestFullStream(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir(), 0)
	r := newRun(t, s.url, 1, time.Second)
	bounded := r.streams(njs.WorkQueuePolicy, 1)[0]
	bounded.MaxBytes, bounded.Discard = 200_000, njs.DiscardNew
	_, err := r.js.UpdateStream(t.Context(), bounded)
	require.NoError(t, err)
	p := r.publish(role{Last: 200, Size: 4000})
	p.await("acked", 40)
	require.Never(t, func() bool { return p.count("acked") >= 50 }, time.Second, 50*time.Millisecond)
	r.worker(busy(0))
	require.NoError(t, p.wait())
	require.Zero(t, r.check())
	require.Equal(t, 200, p.count("acked"))
}

// The disk is full, so the server stops to store. It dies, gets more room and comes
// back: what it had acknowledged is there.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := filepath.Join(t.TempDir(), "disk")
	require.NoError(t, os.Mkdir(disk, 0o700))
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err) // not root
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, 0)) })
	s := startServer(t, disk, 1<<30) // by default it leaves a quarter of the disk free
	r := newRun(t, s.url, 1, time.Second)
	p := r.publish(role{Last: 1500, Size: 4000})
	require.Eventually(t, func() bool {
		var st syscall.Statfs_t
		return syscall.Statfs(disk, &st) == nil && st.Bavail*uint64(st.Bsize) < 16<<10
	}, patience, 10*time.Millisecond)
	acked := p.count("acked")
	require.Less(t, acked, 1500)
	r.killServer(s)
	require.NoError(t, syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m"))
	s.start()
	r.back()
	r.worker(busy(0))
	require.NoError(t, p.wait())
	r.check()
	require.Equal(t, 1500, p.count("acked"))
}
