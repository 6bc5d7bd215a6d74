package migrate

import (
	"context"
	"io"
	"sync"
)

// server answers questions on sessions. A restart breaks those that are open, which
// they notice when they are used.
type server struct {
	mu    sync.Mutex
	epoch int
	dials int
	open  int
}

func (s *server) dial(context.Context) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials++
	s.open++
	return &session{s, s.epoch}, nil
}

func (s *server) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
}

// counts returns how many sessions were dialed and how many are open.
func (s *server) counts() (dials, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials, s.open
}

type session struct {
	srv   *server
	epoch int
}

func (c *session) ask(_ context.Context, question string) (string, error) {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	if c.epoch != c.srv.epoch {
		return "", io.EOF
	}
	return question + "!", nil
}

func (c *session) Close() error {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.srv.open--
	return nil
}
