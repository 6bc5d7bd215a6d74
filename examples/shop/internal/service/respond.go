package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
	"github.com/poundlock/poundlock/objpool"
)

// bodies builds the bodies of answers in buffers that are used again.
type bodies struct{ *objpool.Buffers }

func newBodies(see *sight) (bodies, error) {
	b, err := objpool.NewBuffers(objpool.BufferConfig{Name: "bodies", InitialSize: 2048, MaxSize: 64 << 10})
	if err != nil {
		return bodies{}, err
	}
	add(see, "bodies", b)
	return bodies{b}, nil
}

// send answers with what build writes. The buffer goes back after the body was
// handed to the connection, which copies it.
func (b bodies) send(w http.ResponseWriter, status int, build func(*bytes.Buffer)) error {
	buf := b.Get()
	defer b.Put(buf)
	build(buf)
	h := w.Header()
	h["Content-Type"] = contentType
	h["Content-Length"] = []string{strconv.Itoa(buf.Len())}
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes()) // a client that has left is no error of ours
	return nil
}

var contentType = []string{"application/json"}

func (b bodies) sendJSON(w http.ResponseWriter, status int, v any) error {
	return b.send(w, status, func(buf *bytes.Buffer) { _ = json.NewEncoder(buf).Encode(v) })
}

// requestError is the client's fault.
type requestError struct{ error }

func badRequest(err error) error { return requestError{err} }

// fail answers with the status that an error means.
func fail(w http.ResponseWriter, err error) {
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
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, err.Error(), status)
}
