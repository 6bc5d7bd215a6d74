package connpool

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/poundlock/poundlock/internal/enum"
)

// State is what a connection is doing.
type State uint8

// The states of a connection.
const (
	StateIdle      State = iota // waits for a borrower
	StateInUse                  // on loan
	StateChecking               // in Check
	StateResetting              // in Reset
	StateClosing                // in Close
)

var stateNames = []string{"idle", "in use", "checking", "resetting", "closing"}

// String returns "idle", "in use", "checking", "resetting" or "closing".
func (s State) String() string { return enum.String(s, stateNames) }

// MarshalText makes the state readable in JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *State) UnmarshalText(text []byte) error { return enum.Parse(s, text, stateNames) }

// Info describes a connection at one moment.
type Info struct {
	ID       uint64        `json:"id"`          // counts from 1 in the order of the dials
	State    State         `json:"state"`       // what it is doing
	Age      time.Duration `json:"age_ns"`      // since its dial ended
	Lifetime time.Duration `json:"lifetime_ns"` // the age at which it is closed; 0: none
	Uses     uint64        `json:"uses"`        // loans so far, the present one included
	Idle     time.Duration `json:"idle_ns"`     // how long it has been idle, or was before this loan; up to a Tick less
	Held     time.Duration `json:"held_ns"`     // while in use: how long, up to a Tick less
	Leaked   bool          `json:"leaked"`      // this loan was reported as a suspected leak
	Reason   Reason        `json:"reason"`      // why it is being closed or will be at its return; 0: it will not
	// Stack is the stack of the present borrower's Acquire, if LeakStacks sampled it.
	Stack string `json:"stack,omitempty"`
}

// Conns describes every connection, those whose Close runs included.
func (p *Pool[C]) Conns() []Info {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.core.clock.now()
	conns := p.roster.all()
	infos := make([]Info, 0, len(conns)+len(p.core.closing.list))
	for _, e := range conns {
		infos = append(infos, e.infoLocked(now))
	}
	for _, e := range p.core.closing.list {
		infos = append(infos, e.infoLocked(now))
	}
	return infos
}

func (e *entry[C]) infoLocked(now time.Duration) Info {
	w := e.lookLocked(now)
	i := Info{
		ID: e.id, State: e.phase, Age: now - e.born, Lifetime: e.lifetime,
		Uses: w>>useShift - e.unused, Reason: e.reason,
	}
	switch w & stateMask {
	case stateIdle:
		i.State, i.Idle = StateIdle, now-e.seenAt
	case stateLent:
		i.State, i.Held, i.Idle = StateInUse, now-e.seenAt, e.idleFor
		i.Leaked = e.leaked == w
		if s := e.stack.Load(); s != nil && s.word == w {
			i.Stack = s.String()
		}
	}
	return i
}

// loanStack is where a loan began.
type loanStack struct {
	word uint64 // the loan's
	n    int
	pcs  [24]uintptr
}

// String formats the stack like a panic's: function, then file and line.
func (s *loanStack) String() string {
	var b strings.Builder
	frames := runtime.CallersFrames(s.pcs[:s.n])
	for {
		f, more := frames.Next()
		if f.Function != "" {
			fmt.Fprintf(&b, "%s\n\t%s:%d\n", f.Function, f.File, f.Line)
		}
		if !more {
			return b.String()
		}
	}
}
