package workerpool

// White-box hooks for the tests of package workerpool_test.

const MinInterval = minInterval

// Held returns how many tasks p believes to wait in queues of views.
func Held(p *Pool) int64 { return p.c.held.Load() }
