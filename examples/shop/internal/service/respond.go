package service

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/klauspost/compress/gzhttp"

	"github.com/poundlock/poundlock/objpool"
)

// bodies builds the bodies of answers in buffers that are used again, and compresses
// those that are worth it.
type bodies struct {
	*objpool.Buffers
	compress func(http.Handler) http.HandlerFunc
}

const compressFrom = 1024 // bytes; below, compressing costs more than it saves

func newBodies(see *sight) (b bodies, err error) {
	if b.compress, err = gzhttp.NewWrapper(gzhttp.MinSize(compressFrom), gzhttp.EnableZstd(false)); err != nil {
		return b, err
	}
	if b.Buffers, err = objpool.NewBuffers(objpool.BufferConfig{Name: "bodies", InitialSize: 2048, MaxSize: 64 << 10}); err != nil {
		return b, err
	}
	add(see, "bodies", b.Buffers)
	return b, nil
}

// send answers with what build writes. The buffer goes back after the body was
// handed to the connection, which copies it.
func (b bodies) send(w http.ResponseWriter, r *http.Request, status int, build func(*bytes.Buffer)) error {
	buf := b.Get()
	defer b.Put(buf)
	build(buf)
	w.Header()["Content-Type"] = contentType
	if buf.Len() >= compressFrom { // only such a body has to go through the writer that compresses
		b.compress(body{status, buf.Bytes()}).ServeHTTP(w, r)
		return nil
	}
	body{status, buf.Bytes()}.ServeHTTP(w, r)
	return nil
}

// body is an answer. net/http knows the length of a short one by itself.
type body struct {
	status int
	text   []byte
}

func (b body) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(b.status)
	_, _ = w.Write(b.text) // a client that has left is no error of ours
}

var contentType = []string{"application/json"}

func (b bodies) sendJSON(w http.ResponseWriter, r *http.Request, status int, v any) error {
	return b.send(w, r, status, func(buf *bytes.Buffer) { _ = json.NewEncoder(buf).Encode(v) })
}
