package debug

import (
	"net/http"
	"time"
)

// events streams until the client leaves or the page is closed. Each write has a
// deadline of its own, which overrides the server's WriteTimeout.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	c, problem := p.feed.join()
	if c == nil {
		http.Error(w, problem, http.StatusServiceUnavailable)
		return
	}
	defer p.feed.leave(c)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store, no-transform")                      // compressors would hold it back
	w.Header().Set("X-Accel-Buffering", "no")                                      // and so would nginx
	extend := func() { _ = rc.SetWriteDeadline(time.Now().Add(10 * time.Second)) } // where there is none there is no timeout
	extend()
	if rc.Flush() != nil {
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case <-p.feed.ctx.Done():
			return
		case e, ok := <-c.events:
			if !ok {
				return // too far behind: it comes again
			}
			extend()
			if _, err := w.Write(e); err != nil || rc.Flush() != nil {
				return
			}
		}
	}
}
