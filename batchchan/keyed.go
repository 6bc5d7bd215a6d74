package batchchan

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// KeyedFunc processes one batch of one key's items, in the order in which they
// were sent. items is valid until it returns.
type KeyedFunc[K comparable, T any] func(ctx context.Context, key K, items []T) error

// KeyedConfig configures a [Keyed]. MaxBytes, MaxPendingBytes and Shards must be
// 0, and Overflow one of Block, Reject and DropNewest.
type KeyedConfig[T any] struct {
	Config[T]

	// MaxKeys bounds the keys that have items waiting or in the processor. An
	// item with one key more finds no room, as with MaxPending. 0 means no bound
	// but MaxPending.
	MaxKeys int

	// IdleTimeout is how long an idle key's buffer is kept for it. 0 means not
	// at all: it goes to the next key that needs one. MaxKeys bounds those too;
	// the key that has been idle for longest makes room.
	IdleTimeout time.Duration
}

// Keyed batches items by key: all items of a batch have one key, and at most one
// batch of a key is in the processor at a time, so each key's items are processed
// in order while Workers keys are processed at once. Keys that are due are served
// in turn. Limits, triggers and policies are those of a [Batcher]; MaxPending is
// shared by all keys.
//
// All methods are safe for concurrent use.
type Keyed[K comparable, T any] struct {
	k keyed[K, T]
	_ noCopy
}

// NewKeyed returns a Keyed that processes batches with fn; key tells an item's
// key and is called once per send, by the sender. It returns an error that names
// the first bad field of cfg.
func NewKeyed[K comparable, T any](cfg KeyedConfig[T], key func(T) K, fn KeyedFunc[K, T]) (*Keyed[K, T], error) {
	if fn == nil {
		return nil, errNoProcessor
	}
	if key == nil {
		return nil, errors.New("batchchan: the key function is nil")
	}
	switch {
	case cfg.MaxBytes != 0 || cfg.MaxPendingBytes != 0:
		return nil, errors.New("batchchan: a Keyed does not support MaxBytes and MaxPendingBytes")
	case cfg.Shards > 1:
		return nil, fmt.Errorf("batchchan: a Keyed does not support Shards %d", cfg.Shards)
	case cfg.Overflow > DropNewest:
		return nil, fmt.Errorf("batchchan: a Keyed does not support Overflow %v", cfg.Overflow)
	case cfg.MaxKeys < 0:
		return nil, fmt.Errorf("batchchan: MaxKeys %d is negative", cfg.MaxKeys)
	case cfg.IdleTimeout < 0:
		return nil, fmt.Errorf("batchchan: IdleTimeout %v is negative", cfg.IdleTimeout)
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	k := new(Keyed[K, T])
	k.k.init(cfg, key, fn)
	return k, nil
}

// Send hands item over, as [Batcher.Send]. With MaxKeys it also waits, in its
// turn, for a key to become idle.
func (k *Keyed[K, T]) Send(ctx context.Context, item T) error { return k.k.send(ctx, item, forever) }

// TrySend is Send without waiting, as [Batcher.TrySend].
func (k *Keyed[K, T]) TrySend(item T) error { return k.k.send(context.Background(), item, noWait) }

// SendTimeout is Send that waits for at most d, as [Batcher.SendTimeout].
func (k *Keyed[K, T]) SendTimeout(item T, d time.Duration) error {
	if d <= 0 {
		d = noWait
	}
	return k.k.send(context.Background(), item, d)
}

// Flush makes everything accepted so far due and waits until it was processed.
func (k *Keyed[K, T]) Flush(ctx context.Context) error { return k.k.flush(ctx) }

// Close refuses new items, waits until everything accepted was processed, and
// ends all goroutines. It returns nil and may be called again.
func (k *Keyed[K, T]) Close() error {
	k.k.beginClose()
	<-k.k.done
	return nil
}

// Shutdown is Close until ctx is done, and then as [Batcher.Shutdown]. The items
// come back key by key, each key's in order.
func (k *Keyed[K, T]) Shutdown(ctx context.Context) (undelivered []T, err error) {
	return k.k.shutdown(ctx)
}

// Done returns a channel that is closed when the Keyed was closed, nothing is
// left to process and the last call of the function has returned.
func (k *Keyed[K, T]) Done() <-chan struct{} { return k.k.done }

// KeyedStats is a snapshot of a [Keyed].
type KeyedStats struct {
	Stats
	Keys     int `json:"keys"`      // with items waiting or in the processor
	IdleKeys int `json:"idle_keys"` // whose buffers are kept
}

// Stats returns a consistent snapshot over all keys.
func (k *Keyed[K, T]) Stats() KeyedStats { return k.k.stats() }
