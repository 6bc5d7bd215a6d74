package connpoolbench

import (
	"context"

	"github.com/poundlock/poundlock/connpool"
)

func poundlock() Peer {
	return Peer{
		Name: "poundlock", Config: "connpool.Pool, defaults",
		New: func(n int, dial func() *Conn) (Pool, error) { return newPoundlock(n, dial, nil) },
	}
}

func newPoundlock(n int, dial func() *Conn, change func(*connpool.Config[*Conn])) (Pool, error) {
	cfg := connpool.Config[*Conn]{
		Dial:    func(context.Context) (*Conn, error) { return dial(), nil },
		Close:   func(*Conn) error { return nil },
		MaxOpen: n,
	}
	if change != nil {
		change(&cfg)
	}
	p, err := connpool.New(cfg)
	if err != nil {
		return Pool{}, err
	}
	return Pool{
		Use: func(ctx context.Context, f func(*Conn)) error {
			c, err := p.Acquire(ctx)
			if err != nil {
				return err
			}
			f(c.Value())
			c.Release()
			return nil
		},
		Close: func() { _ = p.Close() },
	}, nil
}
