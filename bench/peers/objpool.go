package main

import (
	"context"

	commons "github.com/jolestar/go-commons-pool/v2"
	"github.com/valyala/bytebufferpool"

	"github.com/poundlock/poundlock/internal/compare/objpoolbench"
)

// objpoolPeers are the pools that objpool is compared with beside the standard
// library's.
var objpoolPeers = []objpoolbench.Peer{
	{
		Name:   "go-commons-pool",
		Config: "MaxTotal and MaxIdle 4096",
		New:    commonsPool,
	},
	{
		Name:       "bytebufferpool",
		Config:     "a Pool of its own",
		NewBuffers: byteBufferPool,
	},
}

func commonsPool(mk func() *objpoolbench.Object) objpoolbench.Pool {
	ctx := context.Background()
	cfg := commons.NewDefaultPoolConfig()
	cfg.MaxTotal, cfg.MaxIdle = objpoolbench.Room, objpoolbench.Room
	p := commons.NewObjectPool(ctx, commons.NewPooledObjectFactorySimple(
		func(context.Context) (any, error) { return mk(), nil }), cfg)
	get := func() *objpoolbench.Object {
		o, err := p.BorrowObject(ctx)
		if err != nil {
			panic(err)
		}
		return o.(*objpoolbench.Object)
	}
	put := func(o *objpoolbench.Object) {
		if err := p.ReturnObject(ctx, o); err != nil {
			panic(err)
		}
	}
	return objpoolbench.Calls(get, put)
}

func byteBufferPool() objpoolbench.BufferPool {
	var p bytebufferpool.Pool
	return objpoolbench.BufferPool{
		Pairs: func(n int, line []byte) (sum int) {
			for range n {
				buf := p.Get()
				buf.Write(line)
				sum += buf.Len()
				p.Put(buf)
			}
			return sum
		},
		Bursts: func(n int, line []byte) (sum int) {
			var bufs [objpoolbench.BurstSize]*bytebufferpool.ByteBuffer
			for range n {
				for i := range bufs {
					bufs[i] = p.Get()
					bufs[i].Write(line)
				}
				for _, buf := range bufs {
					sum += buf.Len()
					p.Put(buf)
				}
			}
			return sum
		},
	}
}
