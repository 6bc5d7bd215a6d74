package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// server is a redis-server that the test started.
type server struct {
	t    *testing.T
	port string
	cmd  *exec.Cmd
}

func (s *server) start() {
	s.cmd = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", s.port, "--save", "", "--appendonly", "no", "--dir", s.t.TempDir())
	require.NoError(s.t, s.cmd.Start())
	s.t.Cleanup(s.kill)
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + s.port})
	defer c.Close()
	within(s.t, patience, "redis-server does not answer", func() bool { return c.Ping(context.Background()).Err() == nil })
}

func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

// Each product is at one of two servers. When one is killed, its share comes from the
// database and does not move, the other share stays, and nobody notices; when it is
// back, it gets the share that it had.
func TestOneOfTwoRedisIsKilled(t *testing.T) {
	servers(t)
	second := &server{t: t, port: freePort(t)}
	second.start()
	addrs := []string{os.Getenv("POUNDLOCK_REDIS"), "127.0.0.1:" + second.port}
	const first, last = 301, 500
	var keys []string
	for id := int64(first); id <= last; id++ {
		keys = append(keys, goods.CacheKey(id))
	}
	has := make([]func() []any, len(addrs)) // what a server has of these, each nil if it has not
	for i, addr := range addrs {
		c := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1})
		t.Cleanup(func() { _ = c.Close() })
		has[i] = func() []any {
			values, err := c.MGet(context.Background(), keys...).Result()
			if err != nil {
				return make([]any, len(keys)) // it is dead
			}
			return values
		}
		require.NoError(t, c.Unlink(context.Background(), keys...).Err())
	}
	underLoad(t, func(r *rig) { r.args = []string{"-redis", addrs[0] + "," + addrs[1]} }, func(r *rig) {
		view := func() {
			for id := first; id <= last; id++ {
				resp, err := r.client.Get(fmt.Sprint(r.url, "/products/", id))
				require.NoError(t, err)
				_, _ = io.Copy(io.Discard, resp.Body)
				require.NoError(t, resp.Body.Close())
				require.Equal(t, http.StatusOK, resp.StatusCode)
			}
		}
		// where waits until every product is at one of the servers that are up.
		where := func(up func(id int64) bool) map[int64]int {
			found := map[int64]int{}
			within(t, patience, "products that no server has", func() bool {
				view()
				one, other := has[0](), has[1]()
				for id := int64(first); id <= last; id++ {
					a, b := one[id-first] != nil, other[id-first] != nil
					require.False(t, a && b, "product %d is at both", id)
					switch {
					case a:
						found[id] = 0
					case b:
						found[id] = 1
					case up(id):
						return false
					}
				}
				return true
			})
			return found
		}
		all := func(int64) bool { return true }
		was := where(all)
		share := 0
		for _, i := range was {
			share += i
		}
		require.InDelta(t, (last-first+1)/2, share, 40, "each has about a half")

		look := r.viewers(4)
		second.kill()
		r.recovered()
		ws := &writers{r: r}
		for id, i := range was { // what is changed now would go to the other, if that took over
			if i == 1 {
				require.True(t, ws.put(id, id), "product %d cannot be changed", id)
			}
		}
		left := where(func(id int64) bool { return was[id] == 0 })
		for id, i := range left {
			require.Equal(t, was[id], i, "product %d moved", id)
			require.Zero(t, i, "a server that is dead")
		}
		second.start()
		require.Equal(t, was, where(all), "each has the share that it had")
		look()
	})
}
