package batchchan

import "time"

// keyed is the engine of a Keyed: the senders and workers, who wait, and the calls of the
// user's functions. What they do next keyedCore decides, under mu.
type keyed[K comparable, T any] struct {
	executor[T]
	timing
	key      func(T) K
	checker  keyChecker[K]
	fn       KeyedFunc[K, T]
	stop     bool
	done     chan struct{}
	freeWait waiterPool[keyedItem[K, T]]

	mu   spinLock
	core keyedCore[K, T] // guarded by mu, but for what is only read
}

func (k *keyed[K, T]) init(cfg KeyedConfig[T], key func(T) K, fn KeyedFunc[K, T]) {
	k.executor.init(cfg.Config)
	k.key, k.fn, k.checker, k.stop = key, fn, newKeyChecker[K](), cfg.StopOnError
	k.done = make(chan struct{})
	k.core.init(&k.cfg, cfg.MaxKeys, cfg.KeyIdleTimeout)
	k.core.alarm.ring = k.onAlarm
	k.mu.init(true)
}

// now returns the instance's time.
func (k *keyed[K, T]) now() time.Duration { return k.core.clock.now() }

// onAlarm does what is due, a step at a time.
func (k *keyed[K, T]) onAlarm() {
	for more := true; more; {
		var e effects[keyedItem[K, T]]
		k.mu.lock()
		more = k.core.rang(&e)
		k.unlock(&e)
	}
}

// unlock releases mu and does what the section left to do.
func (k *keyed[K, T]) unlock(e *effects[keyedItem[K, T]]) {
	k.mu.unlock()
	for ; e.spawn > 0; e.spawn-- {
		go k.work(nil)
	}
	e.wake()
	if e.end {
		k.cancel()
		close(k.done)
	}
	*e = effects[keyedItem[K, T]]{}
}
