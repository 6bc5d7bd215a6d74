package enum_test

import (
	"encoding"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/connpool/health"
	"github.com/poundlock/poundlock/internal/enum"
	"github.com/poundlock/poundlock/objpool"
	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/workerpool"
)

// Every public type of named constants, with its first and its last.
func TestPublicTypes(t *testing.T) {
	t.Run("batchchan.Overflow", func(t *testing.T) { readBack(t, batchchan.Block, batchchan.CallerRuns) })
	t.Run("batchchan.DropReason", func(t *testing.T) { readBack(t, batchchan.DroppedNewest, batchchan.DroppedOldest) })
	t.Run("batchchan.Reason", func(t *testing.T) { readBack(t, batchchan.BySize, batchchan.ByClose) })
	t.Run("connpool.BreakerState", func(t *testing.T) { readBack(t, connpool.BreakerClosed, connpool.BreakerHalfOpen) })
	t.Run("connpool.Order", func(t *testing.T) { readBack(t, connpool.Affinity, connpool.FIFO) })
	t.Run("connpool.Reason", func(t *testing.T) { readBack(t, 0, connpool.ByClose) })
	t.Run("connpool.State", func(t *testing.T) { readBack(t, connpool.StateIdle, connpool.StateClosing) })
	t.Run("health.Severity", func(t *testing.T) { readBack(t, health.Notice, health.Critical) })
	t.Run("objpool.Debug", func(t *testing.T) { readBack(t, objpool.DebugOff, objpool.DebugUseAfterPut) })
	t.Run("objpool.Reason", func(t *testing.T) { readBack(t, objpool.ReasonFull, objpool.ReasonResized) })
	t.Run("observe.Kind", func(t *testing.T) { readBack(t, observe.Counter, observe.Distribution) })
	t.Run("observe.Severity", func(t *testing.T) { readBack(t, observe.Notice, observe.Critical) })
	t.Run("workerpool.Overflow", func(t *testing.T) { readBack(t, workerpool.Block, workerpool.CallerRuns) })
	t.Run("workerpool.Timing", func(t *testing.T) { readBack(t, workerpool.Sampled, workerpool.Every) })
}

// named is a type of constants, and its pointer.
type named[T any] interface {
	*T
	encoding.TextUnmarshaler
}

func readBack[T interface {
	enum.Number
	fmt.Stringer
	encoding.TextMarshaler
}, P named[T]](t *testing.T, first, last T) {
	seen := map[string]bool{}
	for v := first; v <= last; v++ {
		require.False(t, seen[v.String()], "two are called %v", v)
		seen[v.String()] = true
		text, err := json.Marshal(v)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%q", v.String()), string(text))
		var back T
		require.NoError(t, json.Unmarshal(text, P(&back)))
		require.Equal(t, v, back)

		f := flag.NewFlagSet("", flag.ContinueOnError)
		f.SetOutput(io.Discard)
		back = first
		f.TextVar(P(&back), "x", v, "")
		require.NoError(t, f.Parse([]string{"-x", v.String()}))
		require.Equal(t, v, back)
		require.Error(t, f.Parse([]string{"-x", "no such thing"}))
	}
	require.Contains(t, (last + 1).String(), fmt.Sprintf("(%d)", last+1), "last is the last")
	require.Contains(t, T(100).String(), "(100)", "a number without a name is no panic")
}
