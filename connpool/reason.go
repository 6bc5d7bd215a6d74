package connpool

import "github.com/poundlock/poundlock/internal/enum"

// Reason says why a connection was closed.
type Reason uint8

// The reasons for which the pool closes a connection.
const (
	ByMaxIdle  Reason = iota + 1 // more than MaxIdle were idle
	ByIdleTime                   // idle for IdleTimeout
	ByLifetime                   // older than MaxLifetime
	ByMaxUses                    // lent MaxUses times
	ByCheck                      // its Check or Reset failed
	ByDestroy                    // Conn.Destroy, or the function given to Do broke it
	ByReset                      // Pool.Reset
	ByResize                     // Pool.Resize to fewer
	ByEvict                      // Pool.Evict
	ByKeyLimit                   // another key needed the slot
	ByClose                      // the pool was closed
	numReasons
)

var reasonNames = []string{
	"", "max-idle", "idle-time", "lifetime", "max-uses", "check", "destroy", "reset", "resize", "evict", "key-limit", "close",
}

// String returns a word like "lifetime"; "" for no reason.
func (r Reason) String() string { return enum.String(r, reasonNames) }

// MarshalText makes the reason readable in JSON.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (r *Reason) UnmarshalText(text []byte) error { return enum.Parse(r, text, reasonNames) }
