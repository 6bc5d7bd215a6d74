package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/poundlock/poundlock/examples/shop/internal/bare"
	"github.com/poundlock/poundlock/examples/shop/internal/goods"
	"github.com/poundlock/poundlock/examples/shop/internal/plain"
	"github.com/poundlock/poundlock/examples/shop/internal/service"
)

// shop is what is served.
type shop interface {
	http.Handler
	Debug() http.Handler
	EndStreams()
	Shutdown(context.Context) error
}

// graceful bounds how long the end of the service may take.
const graceful = 10 * time.Second

// serve runs a shop until ctx ends, and then finishes what was begun.
func serve(ctx context.Context, o options, out io.Writer) (err error) {
	var s standIns
	defer func() { s.close() }()
	if err := s.open(&o); err != nil {
		return err
	}
	audit, err := appendTo(o.audit)
	if err != nil {
		return err
	}
	defer audit.Close()
	mails, err := appendTo(o.mails)
	if err != nil {
		return err
	}
	defer mails.Close()
	if o.postgres != "" {
		if err := seed(ctx, o); err != nil {
			return err
		}
	}
	var the shop
	switch {
	case o.bare:
		the = bare.New()
	case o.plain:
		the, err = plain.New(ctx, plain.Config{
			Postgres: o.postgres, Store: s.store, Redis: o.redisAddrs(), Payment: o.payment, Memory: o.memory,
		})
	default:
		the, err = service.New(ctx, service.Config{
			Postgres: o.postgres, Store: s.store, Redis: o.redisAddrs(), Payment: o.payment,
			Queue: o.queue, Write: o.write, Hold: o.hold, JobWait: o.jobWait, Audit: audit, Mails: mails, Captures: o.captures,
		})
	}
	if err != nil {
		return err
	}
	err = listen(ctx, o, the, out)
	late, cancel := context.WithTimeout(context.Background(), graceful)
	defer cancel()
	return errors.Join(err, the.Shutdown(late))
}

// appendTo opens a file. Without a name, what is written is lost.
func appendTo(name string) (*os.File, error) {
	if name == "" {
		name = os.DevNull
	}
	return os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// listen serves HTTP until ctx ends and the requests under way are answered.
func listen(ctx context.Context, o options, the shop, out io.Writer) error {
	public, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	inside, err := net.Listen("tcp", o.debug)
	if err != nil {
		return errors.Join(err, public.Close())
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: the, Protocols: protocols, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	debug := &http.Server{Handler: the.Debug(), ReadHeaderTimeout: 5 * time.Second}
	debug.RegisterOnShutdown(the.EndStreams)
	ended := make(chan error, 2)
	go func() {
		if o.cert != "" {
			ended <- server.ServeTLS(public, o.cert, o.key)
			return
		}
		ended <- server.Serve(public)
	}()
	go func() { ended <- debug.Serve(inside) }()
	scheme := "http"
	if o.cert != "" {
		scheme = "https"
	}
	fmt.Fprintf(out, "listening %s://%s debug http://%s\n", scheme, public.Addr(), inside.Addr())
	left := 2 // of the servers
	select {
	case <-ctx.Done():
	case err = <-ended: // one could not go on
		left--
	}
	late, cancel := context.WithTimeout(context.Background(), graceful)
	defer cancel()
	err = errors.Join(err, server.Shutdown(late), debug.Shutdown(late))
	for range left {
		if end := <-ended; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, end)
		}
	}
	return err
}

// standIns take the place of servers that were not given.
type standIns struct {
	store   goods.Store
	redis   []*miniredis.Miniredis
	payment *http.Server
}

func (s *standIns) open(o *options) error {
	if o.postgres == "" {
		s.store = goods.NewMemory(o.products, int64(o.stock))
	}
	if o.redis == "" {
		for range 2 {
			r, err := miniredis.Run()
			if err != nil {
				return err
			}
			s.redis = append(s.redis, r)
			o.redis += r.Addr() + ","
		}
	}
	if o.payment == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.payment = &http.Server{Handler: new(goods.Payments), ReadHeaderTimeout: time.Second}
		go func() { _ = s.payment.Serve(l) }()
		o.payment = "http://" + l.Addr().String()
	}
	return nil
}

func (s *standIns) close() {
	for _, r := range s.redis {
		r.Close()
	}
	if s.payment != nil {
		_ = s.payment.Close()
	}
}

// seed makes the tables and the sample products that are missing. Only one process
// does so at a time.
func seed(ctx context.Context, o options) error {
	c, err := pgconn.Connect(ctx, o.postgres)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	if err := c.Exec(ctx, "select pg_advisory_lock(20011); set client_min_messages = warning; "+goods.Schema).Close(); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	n, stock := fmt.Append(nil, o.products), fmt.Append(nil, o.stock)
	if r := c.ExecParams(ctx, goods.Seed, [][]byte{n, stock}, nil, nil, nil).Read(); r.Err != nil {
		return fmt.Errorf("sample products: %w", r.Err)
	}
	return nil
}
