package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/klauspost/compress/gzhttp"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
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

// requestError is the client's fault.
type requestError struct{ error }

func badRequest(err error) error { return requestError{err} }

// fail answers with the status that an error means. Customers read what they did
// wrong; what is wrong with the shop goes to the log, without what they sent.
func (s *Shop) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusServiceUnavailable
	var bad requestError
	switch {
	case errors.As(err, &bad):
		status = http.StatusBadRequest
	case errors.Is(err, goods.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, goods.ErrBadOrder):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, errDeclined):
		status = http.StatusPaymentRequired
	case errors.Is(err, errShort), errors.Is(err, goods.ErrExpired):
		status = http.StatusConflict
	case errors.Is(err, context.Canceled):
		return // the client has left
	default:
		s.cfg.Log.Error("request failed", "route", r.Pattern, "status", status, "err", err)
		w.Header().Set("Retry-After", "1")
		err = errTryAgain
	}
	http.Error(w, err.Error(), status)
}

var errTryAgain = errors.New("shop: not now, try again")
