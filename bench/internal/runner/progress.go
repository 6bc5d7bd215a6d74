package runner

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// progress tells the user how far the run is: on a terminal in one line that is
// rewritten, elsewhere in a line per round.
type progress struct {
	w     io.Writer
	live  bool
	width func() int // columns of the terminal
	round int        // last round announced in plain form
	drawn bool       // a live line stands on the terminal
}

// at tells what is measured now.
func (p *progress) at(u unit, impl string, round, rounds int, elapsed, left time.Duration) {
	rest := roundTime(left)
	if !p.live {
		if round != p.round {
			p.round = round
			fmt.Fprintf(p.w, "round %d of %d, about %s left\n", round, rounds, rest)
		}
		return
	}
	done := 100.0
	if elapsed+left > 0 {
		done = 100 * float64(elapsed) / float64(elapsed+left)
	}
	s := fmt.Sprintf("%3.0f%%  %s left  round %d/%d  %s  %s", done, rest, round, rounds, u, impl)
	if w := p.width() - 1; w > 0 && len(s) > w {
		s = s[:w]
	}
	fmt.Fprintf(p.w, "\r%s\x1b[K", s)
	p.drawn = true
}

// note tells at once that an implementation failed or was skipped.
func (p *progress) note(u unit, s sample) {
	what, why := "FAILED", s.failed
	if why == "" {
		what, why = "skipped", s.skipped
	}
	p.clear()
	fmt.Fprintf(p.w, "%s %s: %s: %s\n", what, u, u.c.Impls[s.impl].Name, strings.ReplaceAll(why, "\n", "; "))
}

// clear removes the live line before something else is printed.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

func roundTime(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Minute:
		return d.Round(time.Minute)
	case d > time.Second:
		return d.Round(time.Second)
	}
	return d.Round(100 * time.Millisecond)
}
