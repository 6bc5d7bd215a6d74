// Package panics has the error that a user function's panic becomes, the same in
// every package of poundlock.
package panics

import (
	"fmt"
	"io"
	"strings"
)

// Error is the panic of a function that the user gave. Its text is one line;
// %+v adds the stack.
type Error struct {
	Package string // of poundlock, that called the function: "workerpool"
	Name    string // Config.Name of the pool, batcher… ; may be ""
	Func    string // what panicked: "task", "Dial", "OnDrop"
	Label   string // which one, where it has a label or key; may be ""
	Value   any    // what it panicked with
	Stack   []byte // where, as from runtime/debug.Stack
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Package)
	b.WriteString(": ")
	if e.Name != "" {
		fmt.Fprintf(&b, "%q: ", e.Name)
	}
	b.WriteString(e.Func)
	if e.Label != "" {
		fmt.Fprintf(&b, " %q", e.Label)
	}
	fmt.Fprintf(&b, " panicked: %v", e.Value)
	return b.String()
}

// Unwrap returns the panic's value if it is an error, and nil otherwise.
func (e *Error) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Format writes the text of Error, and for %+v the stack below it.
func (e *Error) Format(f fmt.State, verb rune) {
	switch {
	case verb == 'q':
		fmt.Fprintf(f, "%q", e.Error())
	default:
		_, _ = io.WriteString(f, e.Error())
		if verb == 'v' && f.Flag('+') && len(e.Stack) > 0 {
			fmt.Fprintf(f, "\n\n%s", e.Stack)
		}
	}
}
