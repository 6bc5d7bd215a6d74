package jetstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// puller asks the server for messages. (The client's Fetch subscribes anew for each
// request, and has to be called again when all messages of the last have come. That
// cost a third, see bench.)
//
// All that it has belongs to the goroutine that fetches. It is told the time.
type puller struct {
	nc      *nats.Conn
	subject string // of requests
	expires time.Duration
	most    int // messages per request
	in      chan *nats.Msg
	lanes   []lanePull

	owed  int       // messages that may still come: each has a place
	fails int       // requests that failed one after the other
	pause time.Time // nothing is asked for before
}

// lanePull has one request at a time. A message does not say which request it
// answers, but the subscription that it came through.
type lanePull struct {
	inbox string // where the answers go
	sub   *nats.Subscription
	left  int       // messages that may still come; 0: there is no request
	asked time.Time // the server sends nothing before
	until time.Time // nothing comes any more

	reconnects uint64 // of the connection that the request went through
}

// longestDelay is how late the server's word that a request has ended may come at least.
const longestDelay = 200 * time.Millisecond

// pullLanes are enough for a request for a quarter of the places each.
const pullLanes = 4

func newPuller(cfg *Config, src *source) (*puller, error) {
	p := &puller{
		nc: cfg.Conn, subject: "$JS.API.CONSUMER.MSG.NEXT." + cfg.Stream + "." + cfg.Consumer,
		expires: src.expires, most: src.most, lanes: make([]lanePull, src.lanes),
		in: make(chan *nats.Msg, cfg.held()+2*pullLanes), // for each place a message, and the ends of requests
	}
	for i := range p.lanes {
		if err := p.open(&p.lanes[i]); err != nil {
			p.close()
			return nil, fmt.Errorf("jetstream: %w", err)
		}
	}
	return p, nil
}

// open gives a lane a new subscription: through that, only what is asked for from
// now on comes.
func (p *puller) open(l *lanePull) (err error) {
	if l.sub != nil {
		_ = l.sub.Unsubscribe()
	}
	l.inbox = p.nc.NewInbox()
	l.sub, err = p.nc.ChanSubscribe(l.inbox, p.in)
	return err
}

func (p *puller) close() {
	for _, l := range p.lanes {
		if l.sub != nil {
			_ = l.sub.Unsubscribe()
		}
	}
}

// worth says whether to ask for n more messages, with so many places in all. Where
// others are owed, it waits for some more: a request costs as much as a message.
func (p *puller) worth(n, places int) bool { return n > 0 && (p.owed == 0 || 4*n >= places) }

// paused says whether nothing is to be asked for yet.
func (p *puller) paused(now time.Time) bool { return now.Before(p.pause) }

// room returns how many of n messages a request may ask for now.
func (p *puller) room(n int) int {
	if p.idle() == nil {
		return 0
	}
	return min(n, p.most)
}

// idle returns a lane without a request, or nil.
func (p *puller) idle() *lanePull {
	for i := range p.lanes {
		if l := &p.lanes[i]; l.left == 0 {
			return l
		}
	}
	return nil
}

// ask asks for n messages, as room has said, for each of which there is a place. It
// returns how many it asked for.
func (p *puller) ask(n int, now time.Time) (int, error) {
	l := p.idle()
	switch {
	case l == nil || n == 0:
		return 0, nil
	case !p.nc.IsConnected():
		return 0, errDown
	}
	return p.askThrough(l, n, now)
}

func (p *puller) askThrough(l *lanePull, n int, now time.Time) (int, error) {
	body, err := json.Marshal(struct {
		Batch   int           `json:"batch"`
		Expires time.Duration `json:"expires"`
	}{n, p.expires})
	if err != nil {
		return 0, err
	}
	l.reconnects = p.nc.Stats().Reconnects
	if err := p.nc.PublishRequest(p.subject, l.inbox, body); err != nil {
		return 0, err
	}
	l.left, l.asked, l.until = n, now, now.Add(p.expires+max(p.expires, longestDelay))
	p.owed += n
	return n, nil
}

// got takes what came. It returns, of a message, when it was asked for, or the zero
// time if it has no place; of anything else how many places are free again, and why
// the request failed, if it did.
func (p *puller) got(m *nats.Msg) (message bool, asked time.Time, free int, err error) {
	var l *lanePull
	for i := range p.lanes {
		if p.lanes[i].sub == m.Sub && p.lanes[i].left > 0 {
			l = &p.lanes[i]
		}
	}
	if m.Reply != "" {
		if l == nil { // its request was given up
			return true, time.Time{}, 0, nil
		}
		p.fails = 0
		l.left--
		p.owed--
		return true, l.asked, 0, nil
	}
	status := m.Header.Get("Status")
	if l == nil || status == "" || status == "100" { // 100: the server is alive
		return false, time.Time{}, 0, nil
	}
	if err = meaning(status, m.Header.Get("Description")); err == nil {
		p.fails = 0
	}
	return false, time.Time{}, p.end(l), err
}

// failed has a pause made, a longer one each time.
func (p *puller) failed(now time.Time) {
	p.fails++
	p.pause = now.Add(min(10*time.Millisecond<<min(p.fails, 7), time.Second))
}

// expired gives up the requests of which the server has not said that they ended, as
// it does in time, and returns how many places are free again.
func (p *puller) expired(now time.Time) (free int, err error) {
	if p.owed == 0 {
		return 0, nil
	}
	reconnects := p.nc.Stats().Reconnects
	for i := range p.lanes { // the server has forgotten those of a connection that is gone
		if l := &p.lanes[i]; l.left > 0 && (reconnects != l.reconnects || !now.Before(l.until)) {
			free += p.end(l)
			err = errors.Join(err, p.open(l))
		}
	}
	return free, err
}

func (p *puller) end(l *lanePull) (free int) {
	free = l.left
	l.left = 0
	p.owed -= free
	return free
}

// meaning is what a request's end says: nil if there was no message, or no more.
func meaning(status, description string) error {
	switch {
	case status == "404", status == "408", status == "409" && description == "Batch Completed":
		return nil
	case status == "503":
		return errors.New("nobody answers: the consumer is gone, or the server has no JetStream")
	}
	return fmt.Errorf("the server says %s %s", status, description)
}
