package objpool

import "github.com/poundlock/poundlock/internal/enum"

// Reason says why an object left a pool, or never got in.
type Reason uint8

const (
	// Reasons why a Put did not keep its object.

	ReasonFull     Reason = iota // the pool retained its Max, or had no bytes left
	ReasonRejected               // Reset returned false
	ReasonTooLarge               // the object alone exceeds MaxBytes, or a buffer its limit
	ReasonClosed                 // the pool was closed
	ReasonNil                    // the object was nil
	ReasonPanicked               // Reset, Size or the function of Do panicked
	ReasonMisused                // Debug found that the object was in the pool already

	// Reasons why a retained object was given up.

	ReasonInvalid // Validate returned false or panicked, or Debug found a write after Put
	ReasonCleared // Clear or Close
	ReasonTrimmed // Trim, or an object of Prewarm: Resize or Close overtook it, or Size panicked
	ReasonExpired // IdleTimeout passed without a need for it
	ReasonResized // Resize made the bound smaller

	numReasons
)

var reasonNames = []string{
	"full", "rejected", "too large", "closed", "nil", "panicked", "misused",
	"invalid", "cleared", "trimmed", "expired", "resized",
}

// String returns the reason in one or two words: "full", "too large".
func (r Reason) String() string { return enum.String(r, reasonNames) }

// MarshalText makes the reason readable in JSON.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (r *Reason) UnmarshalText(text []byte) error { return enum.Parse(r, text, reasonNames) }
