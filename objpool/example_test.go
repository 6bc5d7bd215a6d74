package objpool_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/poundlock/poundlock/objpool"
)

func Example() {
	tables, err := objpool.New(objpool.Config[*[256]int]{
		New: func() *[256]int { return new([256]int) },
		Max: 100,
	})
	if err != nil {
		panic(err)
	}
	defer tables.Close()

	t := tables.Get()
	t[1]++
	tables.Put(t)

	s := tables.Stats()
	fmt.Printf("%d get, %d hits, %d retained of %d\n", s.Gets, s.Hits, s.Retained, s.Max)
	// Output: 1 get, 0 hits, 1 retained of 100
}

// response is an HTTP response that a handler builds before it writes any of it.
type response struct {
	status int
	header map[string]string
	body   []byte
}

// A response value is dear to make for every request: a map and a buffer that grow to
// their usual size again and again. Reset empties both and keeps their memory; a body
// that grew too large is not kept, so that one big answer does not stay forever.
var responses = objpool.Must(objpool.New(objpool.Config[*response]{
	Name: "responses",
	Max:  1000,
	New: func() *response {
		return &response{status: http.StatusOK, header: make(map[string]string, 8), body: make([]byte, 0, 1024)}
	},
	Reset: func(r *response) (*response, bool) {
		if cap(r.body) > 64<<10 {
			return r, false
		}
		r.status = http.StatusOK
		clear(r.header)
		r.body = r.body[:0]
		return r, true
	},
}))

func ExamplePool_httpResponse() {
	handle := func(w io.Writer, name string) {
		r := responses.Get()
		defer responses.Put(r)
		r.header["Content-Type"] = "text/plain"
		if name == "" {
			r.status = http.StatusNotFound
		} else {
			r.body = fmt.Appendf(r.body, "Hello, %s!", name)
		}
		fmt.Fprintf(w, "%d %v %q\n", r.status, r.header, r.body)
	}
	handle(os.Stdout, "Ada")
	handle(os.Stdout, "")
	handle(os.Stdout, strings.Repeat("x", 3))
	s := responses.Stats()
	fmt.Printf("made %d for %d requests\n", s.Misses, s.Gets)
	// Output:
	// 200 map[Content-Type:text/plain] "Hello, Ada!"
	// 404 map[Content-Type:text/plain] ""
	// 200 map[Content-Type:text/plain] "Hello, xxx!"
	// made 1 for 3 requests
}

func ExamplePool_Do() {
	pool := objpool.Must(objpool.New(objpool.Config[*bytes.Buffer]{
		New:   func() *bytes.Buffer { return new(bytes.Buffer) },
		Reset: func(b *bytes.Buffer) (*bytes.Buffer, bool) { b.Reset(); return b, true },
	}))
	err := pool.Do(func(b *bytes.Buffer) error {
		b.WriteString("the buffer goes back, whatever this returns")
		return errors.New("disk full")
	})
	fmt.Println(err, pool.Stats().Retained)
	// Output: disk full 1
}

func ExampleConfig_validate() {
	// Files that are open already, but not those that somebody closed.
	open := 0
	pool := objpool.Must(objpool.New(objpool.Config[*os.File]{
		New: func() *os.File {
			open++
			f, _ := os.Open(os.DevNull)
			return f
		},
		Validate:  func(f *os.File) bool { _, err := f.Stat(); return err == nil },
		OnDiscard: func(f *os.File, r objpool.Reason) { fmt.Println("discarded:", r); f.Close() },
	}))
	f := pool.Get()
	f.Close()
	pool.Put(f)
	f = pool.Get()
	fmt.Println("opened", open)
	pool.Put(f)
	pool.Close()
	// Output:
	// discarded: invalid
	// opened 2
	// discarded: cleared
}

func ExampleDebug() {
	pool := objpool.Must(objpool.New(objpool.Config[*response]{
		Name:     "responses",
		New:      func() *response { return new(response) },
		Debug:    objpool.DebugDoublePut,
		OnMisuse: func(m *objpool.Misuse) { fmt.Println(strings.SplitN(m.Error(), "\n", 2)[0]) },
	}))
	r := pool.Get()
	pool.Put(r)
	pool.Put(r)
	// Output: objpool: pool "responses": Put of an object that is in the pool already
}

func ExampleBytes() {
	pool := objpool.Must(objpool.NewBytes(objpool.BytesConfig{MaxBytes: 16 << 20}))
	b := pool.Get(3000)
	fmt.Println(len(b), cap(b))
	pool.Put(b)

	line := pool.Get(0) // empty, with the capacity that is usual here
	line = append(line, "some text"...)
	pool.Put(line)
	fmt.Println(pool.Stats().Retained)
	// Output:
	// 3000 4096
	// 2
}

func ExampleBuffers() {
	pool := objpool.Must(objpool.NewBuffers(objpool.BufferConfig{MaxSize: 4096}))
	b := pool.Get()
	b.Write(make([]byte, 1<<20))
	pool.Put(b) // too large to keep: a new buffer takes its place
	fmt.Println(pool.Get().Cap() <= 4096, pool.Replaced())
	// Output: true 1
}

func ExampleRegistry() {
	var pools objpool.Registry
	if err := pools.Register("responses", responses); err != nil {
		panic(err)
	}
	fmt.Println(pools.Register("responses", responses))
	p, err := objpool.LookupPool[*response](&pools, "responses")
	fmt.Println(p == responses, err)
	fmt.Println(pools.Names(), len(pools.Stats()))
	// Output:
	// objpool: name already registered: "responses"
	// true <nil>
	// [responses] 1
}
