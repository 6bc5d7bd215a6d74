package objpoolbench

import (
	"fmt"
	"sync"
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/objpool"
)

// byteSlices is the case of slices of many lengths. sync.Pool hands out one array of
// the largest length for all of them: it has no class to look for and touches the same
// line again and again, and holds 32 KiB where Bytes holds what was asked for. It is
// how fast a pool can be that does not care about memory.
func byteSlices() []compare.Case {
	const biggest = 32 << 10
	lengths := make([]int, 1024) // log-uniform, the same for all
	x := uint64(1)
	for i := range lengths {
		x = x*6364136223846793005 + 1442695040888963407
		lengths[i] = 64 << (x >> 60 % 10)
		lengths[i] -= int(x >> 32 % uint64(lengths[i]/2))
	}
	impl := func(name, config string, mk func() (get func(n int) []byte, put func([]byte))) compare.Impl {
		return compare.Impl{Name: name, Config: config, Bench: func(b *testing.B) {
			get, put := mk()
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				n := lengths[i%len(lengths)]
				s := get(n)
				if len(s) != n {
					b.Fatalf("%d bytes instead of %d", len(s), n)
				}
				s[0]++
				put(s)
			}
		}}
	}
	c := newCase(fmt.Sprintf("bytes/upto=%d", biggest),
		"One op is a Get of a slice of 32 to 32768 bytes and a Put.",
		[]compare.Impl{
			impl("poundlock", "Bytes with defaults", func() (func(int) []byte, func([]byte)) {
				p := objpool.Must(objpool.NewBytes(objpool.BytesConfig{}))
				return p.Get, func(s []byte) { p.Put(s) }
			}),
			impl("make", "no pool", func() (func(int) []byte, func([]byte)) {
				return func(n int) []byte { return make([]byte, n) }, func([]byte) {}
			}),
			impl(nameSync, "one of *[]byte, slices of the largest length", func() (func(int) []byte, func([]byte)) {
				p := &sync.Pool{New: func() any { s := make([]byte, biggest); return &s }}
				var box *[]byte
				return func(n int) []byte { box = p.Get().(*[]byte); return (*box)[:n] },
					func([]byte) { p.Put(box) }
			}),
		})
	c.Metrics = []string{"ns/op", "B/op"}
	return []compare.Case{c}
}
