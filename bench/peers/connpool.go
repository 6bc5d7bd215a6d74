package main

import (
	"context"

	"github.com/jackc/puddle/v2"
	gopool "github.com/jolestar/go-commons-pool/v2"
	chanpool "github.com/silenceper/pool"

	"github.com/poundlock/poundlock/internal/compare/connpoolbench"
)

// connpoolPeers are the connection and object pools with a bound and waiting.
var connpoolPeers = []connpoolbench.Peer{
	{
		Name: "puddle", Config: "puddle.Pool, MaxSize = n",
		New: func(n int, dial func() *connpoolbench.Conn) (connpoolbench.Pool, error) {
			p, err := puddle.NewPool(&puddle.Config[*connpoolbench.Conn]{
				Constructor: func(context.Context) (*connpoolbench.Conn, error) { return dial(), nil },
				Destructor:  func(*connpoolbench.Conn) {},
				MaxSize:     int32(n),
			})
			if err != nil {
				return connpoolbench.Pool{}, err
			}
			return connpoolbench.Pool{
				Use: func(ctx context.Context, f func(*connpoolbench.Conn)) error {
					r, err := p.Acquire(ctx)
					if err != nil {
						return err
					}
					f(r.Value())
					r.Release()
					return nil
				},
				Close: p.Close,
			}, nil
		},
	},
	{
		Name: "commons-pool", Config: "ObjectPool, MaxTotal = MaxIdle = n, no eviction, no tests",
		New: func(n int, dial func() *connpoolbench.Conn) (connpoolbench.Pool, error) {
			ctx := context.Background()
			cfg := gopool.NewDefaultPoolConfig()
			cfg.MaxTotal, cfg.MaxIdle = n, n
			cfg.TimeBetweenEvictionRuns = -1
			p := gopool.NewObjectPool(ctx, gopool.NewPooledObjectFactorySimple(
				func(context.Context) (any, error) { return dial(), nil }), cfg)
			return connpoolbench.Pool{
				Use: func(ctx context.Context, f func(*connpoolbench.Conn)) error {
					o, err := p.BorrowObject(ctx)
					if err != nil {
						return err
					}
					f(o.(*connpoolbench.Conn))
					return p.ReturnObject(ctx, o)
				},
				Close: func() { p.Close(ctx) },
			}, nil
		},
	},
	{
		// InitialCap is 0: connections opened beforehand would leave nothing to the
		// case head of line, and in all others every connection is open anyhow.
		Name: "silenceper", Config: "NewChannelPool, MaxCap = MaxIdle = n, no ping, no idle timeout; Get takes no ctx: who waits cannot give up",
		New: func(n int, dial func() *connpoolbench.Conn) (connpoolbench.Pool, error) {
			p, err := chanpool.NewChannelPool(&chanpool.Config{
				MaxCap: n, MaxIdle: n,
				Factory: func() (any, error) { return dial(), nil },
				Close:   func(any) error { return nil },
			})
			if err != nil {
				return connpoolbench.Pool{}, err
			}
			return connpoolbench.Pool{
				Use: func(_ context.Context, f func(*connpoolbench.Conn)) error {
					c, err := p.Get()
					if err != nil {
						return err
					}
					f(c.(*connpoolbench.Conn))
					return p.Put(c)
				},
				Close: p.Release,
			}, nil
		},
	},
}
