package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// shortestWait is the AckWait below which heartbeats, three of which go in it,
// cannot be relied on.
const shortestWait = 100 * time.Millisecond

// source is a consumer that a Worker can use.
type source struct {
	js      njs.JetStream
	wait    time.Duration // how long the server waits for a sign of life
	expires time.Duration // how long a request may wait for messages
	most    int           // messages per request
	lanes   int           // requests at a time
}

// open looks for cfg's consumer and checks that it is fit.
func open(ctx context.Context, cfg *Config) (*source, error) {
	if !cfg.Conn.IsConnected() {
		return nil, fmt.Errorf("jetstream: no server: the connection is %v", cfg.Conn.Status())
	}
	js, err := njs.New(cfg.Conn)
	if err != nil {
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	stream, err := js.Stream(ctx, cfg.Stream)
	if err != nil {
		return nil, fmt.Errorf("jetstream: stream %q: %w", cfg.Stream, explain(ctx, err))
	}
	consumer, err := stream.Consumer(ctx, cfg.Consumer)
	if err != nil {
		return nil, fmt.Errorf("jetstream: consumer %q of stream %q: %w", cfg.Consumer, cfg.Stream, explain(ctx, err))
	}
	info := consumer.CachedInfo()
	s := &source{js: js, wait: info.Config.AckWait, most: cfg.held(), lanes: pullLanes}
	if err := s.fit(cfg, &info.Config); err != nil {
		return nil, fmt.Errorf("jetstream: consumer %q of stream %q: %w", cfg.Consumer, cfg.Stream, err)
	}
	if cfg.DeadLetter != "" {
		return s, s.checkDeadLetter(ctx, cfg, &info.Config)
	}
	return s, nil
}

// explain says what a failed request means to those who configure a Worker.
func explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, njs.ErrJetStreamNotEnabled), errors.Is(err, njs.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("the server has no JetStream: %w", err)
	case ctx.Err() != nil:
		return ctxerr.From(ctx)
	}
	return err
}

// fit says what is wrong with a consumer for a Worker, if anything is.
func (s *source) fit(cfg *Config, c *njs.ConsumerConfig) error {
	for _, d := range c.BackOff { // the server uses it in place of AckWait
		s.wait = min(s.wait, d)
	}
	s.expires = min(time.Second, s.wait/4)
	if c.MaxRequestExpires > 0 {
		s.expires = min(s.expires, c.MaxRequestExpires)
	}
	if c.MaxRequestBatch > 0 {
		s.most = min(s.most, c.MaxRequestBatch)
	}
	if c.MaxWaiting > 0 {
		s.lanes = min(s.lanes, c.MaxWaiting)
	}
	n := cfg.held()
	// A message is as old as its request, then waits for its batch and for others.
	each := (s.wait - s.expires - cfg.Linger) / cfg.rounds()
	switch {
	case c.Durable == "":
		return errors.New("it is not durable: the server forgets it, and what was handled, when no Worker is there")
	case c.AckPolicy != njs.AckExplicitPolicy:
		return fmt.Errorf("its AckPolicy is %v, not explicit", c.AckPolicy)
	case c.MaxAckPending > 0 && c.MaxAckPending < n:
		return fmt.Errorf("its MaxAckPending %d is below the %d messages that Workers, MaxBatch and Ahead hold", c.MaxAckPending, n)
	case len(c.PriorityGroups) > 0:
		return errors.New("it has priority groups, which a Worker does not support")
	case cfg.MaxDeliver > 0 && c.MaxDeliver > 0:
		return fmt.Errorf("its MaxDeliver %d must be -1: the Worker counts, see Config.MaxDeliver", c.MaxDeliver)
	case s.wait < shortestWait:
		return fmt.Errorf("its AckWait, or shortest BackOff, %v is below %v: heartbeats may come too late", s.wait, shortestWait)
	case cfg.NoHeartbeats && each < cfg.TaskTimeout:
		return fmt.Errorf("its AckWait, or shortest BackOff, %v is too short: without heartbeats a message that is held ahead may take %d times TaskTimeout %v after a Linger of %v, and a request for it %v",
			s.wait, cfg.rounds(), cfg.TaskTimeout, cfg.Linger, s.expires)
	}
	return nil
}

// checkDeadLetter says why the dead letters would be lost or come back, if so.
func (s *source) checkDeadLetter(ctx context.Context, cfg *Config, c *njs.ConsumerConfig) error {
	for token := range strings.SplitSeq(cfg.DeadLetter, ".") {
		if token == "*" || token == ">" {
			return fmt.Errorf("jetstream: DeadLetter %q has a wildcard", cfg.DeadLetter)
		}
	}
	stream, err := s.js.StreamNameBySubject(ctx, cfg.DeadLetter)
	if err != nil {
		return fmt.Errorf("jetstream: no stream has DeadLetter %q: %w", cfg.DeadLetter, explain(ctx, err))
	}
	filters := c.FilterSubjects
	if c.FilterSubject != "" {
		filters = []string{c.FilterSubject}
	}
	mine := len(filters) == 0 || slices.ContainsFunc(filters, func(f string) bool { return matches(f, cfg.DeadLetter) })
	if stream == cfg.Stream && mine {
		return fmt.Errorf("jetstream: DeadLetter %q comes back to consumer %q itself", cfg.DeadLetter, cfg.Consumer)
	}
	return nil
}

// matches says whether a subject is one of those that a filter with wildcards
// describes.
func matches(filter, subject string) bool {
	fs, ss := strings.Split(filter, "."), strings.Split(subject, ".")
	for i, f := range fs {
		switch {
		case f == ">":
			return i < len(ss)
		case i >= len(ss) || f != "*" && f != ss[i]:
			return false
		}
	}
	return len(fs) == len(ss)
}
