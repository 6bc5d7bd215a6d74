package connpoolbench

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// channel is the pool that one writes without a library: the connections are in a
// channel, opened before.
func channel() Peer {
	return Peer{
		Name: nameChan, Config: "chan *Conn, prefilled; a plain receive where ctx cannot end",
		New: func(n int, dial func() *Conn) (Pool, error) {
			ch := make(chan *Conn, n)
			for range n {
				ch <- dial()
			}
			return Pool{Use: func(ctx context.Context, f func(*Conn)) error {
				var c *Conn
				if done := ctx.Done(); done == nil {
					c = <-ch
				} else {
					select {
					case c = <-ch:
					case <-done:
						return ctx.Err()
					}
				}
				f(c)
				ch <- c
				return nil
			}}, nil
		},
	}
}

// databaseSQL uses the pool of database/sql as its users do to have a connection
// for themselves: DB.Conn and Conn.Close. The connection under it is not asked for
// by Conn.Raw, which would cost more.
func databaseSQL() Peer {
	return Peer{
		Name: nameSQL, Config: "sql.DB with a driver that does nothing: DB.Conn, Conn.Close; MaxOpen = MaxIdle = n",
		New: func(n int, dial func() *Conn) (Pool, error) {
			db := sql.OpenDB(connector{dial})
			db.SetMaxOpenConns(n)
			db.SetMaxIdleConns(n)
			return Pool{
				Use: func(ctx context.Context, f func(*Conn)) error {
					c, err := db.Conn(ctx)
					if err != nil {
						return err
					}
					f(nil)
					return c.Close()
				},
				Close: func() { _ = db.Close() },
			}, nil
		},
	}
}

type connector struct{ dial func() *Conn }

func (c connector) Connect(context.Context) (driver.Conn, error) { return stub{c.dial()}, nil }
func (c connector) Driver() driver.Driver                        { return nil }

type stub struct{ *Conn }

var errStub = errors.New("connpoolbench: the stub driver has no statements")

func (stub) Prepare(string) (driver.Stmt, error) { return nil, errStub }
func (stub) Close() error                        { return nil }
func (stub) Begin() (driver.Tx, error)           { return nil, errStub }
