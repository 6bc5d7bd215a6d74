package httpstats

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// writer remembers the status and counts what is written.
type writer struct {
	http.ResponseWriter
	status  int // 0: none was written
	written int64
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 || w.status < 200 && w.status != http.StatusSwitchingProtocols {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) implicit() {
	if w.status < 200 && w.status != http.StatusSwitchingProtocols {
		w.status = http.StatusOK
	}
}

func (w *writer) Write(p []byte) (int, error) {
	w.implicit()
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	return n, err
}

// ReadFrom keeps the way open for sendfile.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	w.implicit()
	n, err := io.Copy(w.ResponseWriter, r)
	w.written += n
	return n, err
}

// Flush does nothing where the original cannot.
func (w *writer) Flush() {
	w.implicit()
	_ = http.NewResponseController(w.ResponseWriter).Flush() // http.Flusher has no error
}

// Hijack returns http.ErrNotSupported where the original cannot.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && w.status == 0 {
		w.status = http.StatusSwitchingProtocols
	}
	return c, rw, err
}
