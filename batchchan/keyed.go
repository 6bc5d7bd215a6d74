package batchchan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/poundlock/poundlock/internal/nocopy"
)

// KeyedFunc processes one batch of one key's items, in the order in which they
// were sent. items is valid until it returns. Errors are those of a [Func].
type KeyedFunc[K comparable, T any] func(ctx context.Context, key K, items []T) error

// KeyedConfig configures a [Keyed]. Shards must be 0, and Overflow one of Block,
// Reject and DropNewest. MaxBytes bounds a batch, which is of one key;
// MaxPendingBytes is shared by all keys, as MaxPending is. The errors that OnError
// gets are of type *KeyError.
type KeyedConfig[T any] struct {
	Config[T]

	// MaxKeys bounds the keys that have items waiting or in the processor. An
	// item with one key more finds no room, as with MaxPending. 0 means no bound
	// but MaxPending.
	MaxKeys int

	// KeyIdleTimeout is how long an idle key's buffer is kept for it. 0 means not
	// at all: the next key that needs a buffer gets it. MaxKeys bounds the busy and
	// the idle keys together; where it is 0, MaxPending bounds the idle ones. The
	// key that has been idle for longest makes room.
	KeyIdleTimeout time.Duration

	// StopOnError stops a key when one of its items has failed for good and the
	// batch of that item is through, further attempts with its other items
	// included. OnError, which must be set, then gets what waits of that key in one
	// call, with an error that matches ErrStopped and the failure; these items
	// count as Undelivered. Sends with that key return ErrStopped until Resume. A
	// stopped key costs memory until then. Without StopOnError the key goes on with
	// its next batch.
	StopOnError bool
}

// Keyed batches items by key: all items of a batch have one key, and at most one
// batch of a key is in the processor at a time, so each key's items are processed
// in order while Workers keys are processed at once. Keys that are due are served
// in turn. Limits, triggers and policies are those of a [Batcher]; MaxPending is
// shared by all keys. A send that finds no room makes the oldest batch due.
//
// All methods are safe for concurrent use.
type Keyed[K comparable, T any] struct {
	k keyed[K, T]
	_ nocopy.NoCopy
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
	case cfg.Shards > 1:
		return nil, fmt.Errorf("batchchan: a Keyed does not support Shards %d", cfg.Shards)
	case cfg.Overflow > DropNewest:
		return nil, fmt.Errorf("batchchan: a Keyed does not support Overflow %v", cfg.Overflow)
	case cfg.MaxKeys < 0:
		return nil, fmt.Errorf("batchchan: MaxKeys %d is negative", cfg.MaxKeys)
	case cfg.KeyIdleTimeout < 0:
		return nil, fmt.Errorf("batchchan: KeyIdleTimeout %v is negative", cfg.KeyIdleTimeout)
	case cfg.StopOnError && cfg.OnError == nil:
		return nil, errors.New("batchchan: StopOnError needs OnError, which gets what waits of a stopped key")
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	k := new(Keyed[K, T])
	k.k.init(cfg, key, fn)
	return k, nil
}

// Send hands item over, as [Batcher.Send]. With MaxKeys it also waits, in its
// turn, for a key to become idle; it then does not hold up those behind it whose
// keys have room. It returns ErrBadKey for a key that is not equal to itself or
// cannot be compared, and ErrStopped if its key is stopped or is stopped meanwhile.
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

// SendMany sends items in order, as many in one step as there is room for. It
// returns how many were accepted, the first n, and an error if that is not all of
// them: what Send of the next one returned. The others count as Rejected in Stats. The
// slice is not kept.
func (k *Keyed[K, T]) SendMany(ctx context.Context, items []T) (n int, err error) {
	return k.k.sendMany(ctx, items)
}

// Flush makes everything accepted so far due and waits until it was processed or
// handed to OnError, as [Batcher.Flush].
func (k *Keyed[K, T]) Flush(ctx context.Context) error { return k.k.flush(ctx) }

// Resume lets a stopped key's items be accepted again and reports whether the key
// was stopped. OnError may call it.
func (k *Keyed[K, T]) Resume(key K) bool { return k.k.resumeKey(key) }

// Close refuses new items, waits until everything accepted was processed, and
// ends all goroutines. If items failed since the last report it returns a
// *FailedError, else nil; it may be called again.
func (k *Keyed[K, T]) Close() error {
	k.k.beginClose()
	<-k.k.done
	return k.k.failures.take()
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
	Name string `json:"name,omitempty"` // Config.Name
	Stats
	Keys        int `json:"keys"`         // with items waiting or in the processor
	IdleKeys    int `json:"idle_keys"`    // whose buffers are kept
	StoppedKeys int `json:"stopped_keys"` // by StopOnError
}

// Stats returns a consistent snapshot over all keys.
func (k *Keyed[K, T]) Stats() KeyedStats { return k.k.stats() }
