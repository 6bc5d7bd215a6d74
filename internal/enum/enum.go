// Package enum gives constants that count from 0 their names, as text that can be read
// back: in JSON, in a file of settings, as a flag (flag.TextVar).
package enum

import (
	"fmt"
	"reflect"
	"strings"
)

// Number is what such constants are.
type Number interface{ ~int | ~uint8 }

// String returns the name of v, or "Type(9)" if it has none.
func String[T Number](v T, names []string) string {
	if v < 0 || int(v) >= len(names) {
		return fmt.Sprintf("%s(%d)", reflect.TypeFor[T]().Name(), int(v))
	}
	return names[v]
}

// Parse sets v to the constant that has the name text, in capital or small letters. If
// there is none the error names all that there are, and v stays as it is.
func Parse[T Number](v *T, text []byte, names []string) error {
	for i, name := range names {
		if strings.EqualFold(name, string(text)) {
			*v = T(i)
			return nil
		}
	}
	pkg, typ, _ := strings.Cut(reflect.TypeFor[T]().String(), ".")
	var known []string
	for _, name := range names {
		if name != "" {
			known = append(known, name)
		}
	}
	return fmt.Errorf("%s: no %s is called %q, but %s", pkg, typ, text, strings.Join(known, ", "))
}
