package observe

import (
	"fmt"
	"log/slog"
)

func (w *Watcher) logger() *slog.Logger {
	if w.cfg.Logger != nil {
		return w.cfg.Logger
	}
	return slog.Default()
}

// tell logs a breach and calls the hook.
func (w *Watcher) tell(b Breach) {
	attrs := []any{slog.String("rule", b.Rule), slog.String("what", b.What)}
	if len(b.Files) > 0 {
		attrs = append(attrs, slog.Any("files", b.Files))
	}
	if b.Err != nil {
		attrs = append(attrs, slog.Any("error", b.Err))
	}
	w.contain("logger", func() { w.logger().Warn("observe: rule broken", attrs...) })
	if w.cfg.OnBreach != nil {
		w.telling <- struct{}{}
		defer func() { <-w.telling }()
		w.contain("OnBreach", func() { w.cfg.OnBreach(b) })
	}
}

// contain calls a function of the user's. A panic is logged and counted.
func (w *Watcher) contain(what string, f func()) {
	defer func() {
		if p := recover(); p != nil {
			w.panics.Add(1)
			if what != "logger" {
				w.contain("logger", func() {
					w.logger().Error("observe: panic", slog.String("in", what), slog.String("value", fmt.Sprint(p)))
				})
			}
		}
	}()
	f()
}
