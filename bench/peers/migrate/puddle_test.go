package migrate

import (
	"context"
	"testing"

	"github.com/jackc/puddle/v2"
	"github.com/poundlock/poundlock/connpool"
	"github.com/stretchr/testify/require"
)

func puddleBefore(srv *server) (*puddle.Pool[*session], error) {
	return puddle.NewPool(&puddle.Config[*session]{
		Constructor: srv.dial,
		Destructor:  func(s *session) { _ = s.Close() },
		MaxSize:     4,
	})
}

func puddleAskBefore(ctx context.Context, pool *puddle.Pool[*session], question string) (string, error) {
	res, err := pool.Acquire(ctx)
	if err != nil {
		return "", err
	}
	answer, err := res.Value().ask(ctx, question)
	if err != nil {
		res.Destroy()
		return "", err
	}
	res.Release()
	return answer, nil
}

func puddleAfter(srv *server) (*connpool.Pool[*session], error) {
	return connpool.New(connpool.Config[*session]{
		Dial:    srv.dial,
		Close:   (*session).Close,
		MaxOpen: 4,
		Order:   connpool.LIFO, // nearest to puddle's; the default is faster
	})
}

func puddleAskAfter(ctx context.Context, pool *connpool.Pool[*session], question string) (string, error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Release() // after a Destroy it does nothing
	answer, err := conn.Value().ask(ctx, question)
	if err != nil {
		conn.Destroy(err)
	}
	return answer, err
}

func TestPuddle(t *testing.T) {
	for name, open := range map[string]func(*testing.T, *server) (ask func(string) (string, error), closed func()){
		"before": func(t *testing.T, srv *server) (func(string) (string, error), func()) {
			pool, err := puddleBefore(srv)
			require.NoError(t, err)
			return func(q string) (string, error) { return puddleAskBefore(t.Context(), pool, q) }, pool.Close
		},
		"after": func(t *testing.T, srv *server) (func(string) (string, error), func()) {
			pool, err := puddleAfter(srv)
			require.NoError(t, err)
			return func(q string) (string, error) { return puddleAskAfter(t.Context(), pool, q) },
				func() { require.NoError(t, pool.Close()) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			var srv server
			ask, closed := open(t, &srv)
			for _, q := range []string{"a", "b"} {
				answer, err := ask(q)
				require.NoError(t, err)
				require.Equal(t, q+"!", answer)
			}
			srv.restart()
			_, err := ask("c")
			require.Error(t, err)
			answer, err := ask("d")
			require.NoError(t, err)
			require.Equal(t, "d!", answer)
			closed()
			dials, left := srv.counts()
			require.Equal(t, 2, dials)
			require.Zero(t, left)
		})
	}
}
