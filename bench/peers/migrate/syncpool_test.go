package migrate

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/poundlock/poundlock/objpool"
	"github.com/stretchr/testify/require"
)

var gzipPool = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func syncPoolBefore(w io.Writer, text []byte) error {
	z := gzipPool.Get().(*gzip.Writer)
	defer gzipPool.Put(z)
	z.Reset(w)
	if _, err := z.Write(text); err != nil {
		return err
	}
	return z.Close()
}

var gzips = objpool.Must(objpool.New(objpool.Config[*gzip.Writer]{
	New: func() *gzip.Writer { return gzip.NewWriter(nil) },
	Max: 64, // of about 800 kB each
	Reset: func(z *gzip.Writer) (*gzip.Writer, bool) {
		z.Reset(nil) // lets go of what it wrote to
		return z, true
	},
}))

func syncPoolAfter(w io.Writer, text []byte) error {
	z := gzips.Get()
	defer gzips.Put(z)
	z.Reset(w)
	if _, err := z.Write(text); err != nil {
		return err
	}
	return z.Close()
}

var buffers = objpool.Must(objpool.NewBuffers(objpool.BufferConfig{Max: 64}))

func buffersAfter(name string) string {
	buf := buffers.Get() // empty: Put has seen to that
	defer buffers.Put(buf)
	fmt.Fprintf(buf, "hello, %s", name)
	return buf.String()
}

func TestSyncPool(t *testing.T) {
	for name, pack := range map[string]func(io.Writer, []byte) error{"before": syncPoolBefore, "after": syncPoolAfter} {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				var packed bytes.Buffer
				require.NoError(t, pack(&packed, []byte("text")))
				z, err := gzip.NewReader(&packed)
				require.NoError(t, err)
				text, err := io.ReadAll(z)
				require.NoError(t, err)
				require.Equal(t, "text", string(text))
			}
		})
	}
	require.GreaterOrEqual(t, gzips.Stats().Hits, uint64(2))
}

func TestBuffers(t *testing.T) {
	require.Equal(t, "hello, you", buffersAfter("you"))
	require.Equal(t, "hello, me", buffersAfter("me"))
}
