package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"reflect"
	"strings"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/describe"
)

// WriteJSON writes the Stats of all sources as one JSON object: by kind, and within
// it by name. A source that could not be read has the object {"error": "..."}. When
// ctx ends, what was read until then is written and the error is ctx's.
func (r *Registry) WriteJSON(ctx context.Context, w io.Writer) error {
	var b bytes.Buffer
	kind := ""
	for rd := range r.All(ctx) {
		switch {
		case kind == "":
			b.WriteString("{")
		case kind != rd.Kind:
			b.WriteString("},\n")
		default:
			b.WriteString(",\n")
		}
		if kind != rd.Kind {
			kind = rd.Kind
			b.WriteString(quote(kind) + ": {\n")
		}
		b.WriteString(quote(rd.Name) + ": ")
		b.Write(rd.json())
	}
	switch kind {
	case "":
		b.WriteString("{}\n")
	default:
		b.WriteString("}}\n")
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return err
	}
	return ctxerr.From(ctx)
}

// json returns the Stats, or an object with the reason why there are none, such as
// a float that is not a number.
func (rd *Reading) json() []byte {
	err := rd.Err
	if err == nil {
		var b []byte
		if b, err = json.Marshal(rd.Stats); err == nil {
			return b
		}
	}
	return []byte(`{"error": ` + quote(err.Error()) + `}`)
}

func quote(s string) string {
	b, _ := json.Marshal(s) // of a string cannot fail
	return string(b)
}

// String returns what WriteJSON writes. It makes a *Registry an expvar.Var:
//
//	expvar.Publish("poundlock", &reg)
func (r *Registry) String() string {
	var b strings.Builder
	_ = r.WriteJSON(context.Background(), &b) // a Builder takes everything, and the ctx does not end
	return b.String()
}

// LogValue returns the Stats of all sources as a group: kind, name, field. Fields
// that are zero are left out, and so are sources that have no other.
func (r *Registry) LogValue() slog.Value {
	var kinds, names []slog.Attr
	kind := ""
	flush := func() {
		if len(names) > 0 {
			kinds = append(kinds, slog.Attr{Key: kind, Value: slog.GroupValue(names...)})
		}
		names = nil
	}
	for rd := range r.All(context.Background()) {
		if rd.Kind != kind {
			flush()
			kind = rd.Kind
		}
		switch {
		case rd.Err != nil:
			names = append(names, slog.String(rd.Name, rd.Err.Error()))
		default:
			v := describe.LogValue(reflect.ValueOf(rd.Stats).Elem().Interface())
			if len(v.Group()) > 0 {
				names = append(names, slog.Attr{Key: rd.Name, Value: v})
			}
		}
	}
	flush()
	return slog.GroupValue(kinds...)
}
