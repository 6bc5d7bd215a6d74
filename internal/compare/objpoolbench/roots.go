package objpoolbench

import (
	"bytes"
	"sync"

	"github.com/poundlock/poundlock/objpool"
)

// poundlock is the implementation that all others are held against.
func poundlock() Peer {
	return Peer{
		Name:   "poundlock",
		Config: "Pool with Max 4096; Buffers with defaults",
		New: func(mk func() *Object) Pool {
			p := objpool.Must(objpool.New(objpool.Config[*Object]{New: mk, Max: Room}))
			return Pool{
				Get: p.Get,
				Put: func(o *Object) { p.Put(o) },
				Pairs: func(n int) {
					for range n {
						o := p.Get()
						o.Uses++
						p.Put(o)
					}
				},
				Bursts: func(n int) {
					var os [BurstSize]*Object
					for range n {
						for i := range os {
							os[i] = p.Get()
							os[i].Uses++
						}
						for _, o := range os {
							p.Put(o)
						}
					}
				},
			}
		},
		NewBuffers: func() BufferPool {
			p := objpool.Must(objpool.NewBuffers(objpool.BufferConfig{}))
			return BufferPool{
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
					var bufs [BurstSize]*bytes.Buffer
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
		},
	}
}

// syncPool is the standard library's.
func syncPool() Peer {
	return Peer{
		Name:   nameSync,
		Config: "with New; buffers are Reset before Put",
		New: func(mk func() *Object) Pool {
			p := &sync.Pool{New: func() any { return mk() }}
			return Pool{
				Get: func() *Object { return p.Get().(*Object) },
				Put: func(o *Object) { p.Put(o) },
				Pairs: func(n int) {
					for range n {
						o := p.Get().(*Object)
						o.Uses++
						p.Put(o)
					}
				},
				Bursts: func(n int) {
					var os [BurstSize]*Object
					for range n {
						for i := range os {
							os[i] = p.Get().(*Object)
							os[i].Uses++
						}
						for _, o := range os {
							p.Put(o)
						}
					}
				},
			}
		},
		NewBuffers: func() BufferPool {
			p := &sync.Pool{New: func() any { return new(bytes.Buffer) }}
			return BufferPool{
				Pairs: func(n int, line []byte) (sum int) {
					for range n {
						buf := p.Get().(*bytes.Buffer)
						buf.Write(line)
						sum += buf.Len()
						buf.Reset()
						p.Put(buf)
					}
					return sum
				},
				Bursts: func(n int, line []byte) (sum int) {
					var bufs [BurstSize]*bytes.Buffer
					for range n {
						for i := range bufs {
							bufs[i] = p.Get().(*bytes.Buffer)
							bufs[i].Write(line)
						}
						for _, buf := range bufs {
							sum += buf.Len()
							buf.Reset()
							p.Put(buf)
						}
					}
					return sum
				},
			}
		},
	}
}

// locked is the pool that people write by hand: a slice under a mutex.
type locked struct {
	mu   sync.Mutex
	free []*Object
	mk   func() *Object
}

func (p *locked) Get() *Object {
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		o := p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return o
	}
	p.mu.Unlock()
	return p.mk()
}

func (p *locked) Put(o *Object) {
	p.mu.Lock()
	if len(p.free) < Room {
		p.free = append(p.free, o)
	}
	p.mu.Unlock()
}

func mutexPool() Peer {
	return Peer{
		Name:   nameMutex,
		Config: "a slice of at most 4096 under a mutex, last in first out",
		New: func(mk func() *Object) Pool {
			p := &locked{mk: mk, free: make([]*Object, 0, Room)}
			return Pool{
				Get: p.Get,
				Put: p.Put,
				Pairs: func(n int) {
					for range n {
						o := p.Get()
						o.Uses++
						p.Put(o)
					}
				},
				Bursts: func(n int) {
					var os [BurstSize]*Object
					for range n {
						for i := range os {
							os[i] = p.Get()
							os[i].Uses++
						}
						for _, o := range os {
							p.Put(o)
						}
					}
				},
			}
		},
	}
}

// buffered is the other one: a channel.
type buffered struct {
	free chan *Object
	mk   func() *Object
}

func (p *buffered) Get() *Object {
	select {
	case o := <-p.free:
		return o
	default:
		return p.mk()
	}
}

func (p *buffered) Put(o *Object) {
	select {
	case p.free <- o:
	default:
	}
}

func chanPool() Peer {
	return Peer{
		Name:   nameChan,
		Config: "a channel of capacity 4096",
		New: func(mk func() *Object) Pool {
			p := &buffered{mk: mk, free: make(chan *Object, Room)}
			return Calls(p.Get, p.Put)
		},
	}
}
