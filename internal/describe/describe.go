// Package describe turns a Stats struct into what people read: a slog group and
// short figures for its String method.
package describe

import (
	"encoding"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// LogValue returns the fields of a struct as a group, under the names that JSON
// gives them. Fields that hold their zero value are left out, as a log line wants
// what there is to see; so are those tagged "-". It is for LogValue methods: it
// reads by reflection.
func LogValue(of any) slog.Value {
	return slog.GroupValue(attrs(reflect.ValueOf(of))...)
}

func attrs(v reflect.Value) []slog.Attr {
	var list []slog.Attr
	for i := range v.NumField() {
		f, field := v.Field(i), v.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case !field.IsExported() || name == "-" || f.IsZero():
			continue
		case field.Anonymous && name == "" && f.Kind() == reflect.Struct:
			list = append(list, attrs(f)...)
			continue
		case name == "":
			name = field.Name
		}
		list = append(list, slog.Attr{Key: name, Value: value(f)})
	}
	return list
}

func value(f reflect.Value) slog.Value {
	switch x := f.Interface().(type) {
	case time.Duration:
		return slog.DurationValue(x)
	case time.Time:
		return slog.TimeValue(x)
	case encoding.TextMarshaler, fmt.Stringer, error:
		if _, group := x.(slog.LogValuer); !group || f.Kind() != reflect.Struct {
			return slog.AnyValue(x)
		}
	}
	if f.Kind() == reflect.Struct {
		return slog.GroupValue(attrs(f)...)
	}
	return slog.AnyValue(f.Interface())
}

// Count returns n in at most five characters below 10^12: 950, 12.3k, 4.56M.
func Count(n uint64) string {
	const units = "kMGT"
	if n < 10_000 {
		return strconv.FormatUint(n, 10)
	}
	x := float64(n)
	unit := -1
	for x >= 999.5 && unit+1 < len(units) {
		x /= 1000
		unit++
	}
	return significant(x) + units[unit:unit+1]
}

func significant(x float64) string {
	switch {
	case x >= 99.95:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 9.995:
		return strconv.FormatFloat(x, 'f', 1, 64)
	default:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
}

// Duration returns d with three significant digits: 1.23µs, 45.6ms.
func Duration(d time.Duration) string {
	unit := time.Duration(1)
	for d.Abs()/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// Latency returns the quantiles that matter: "p50 1.2µs p99 34µs max 1.1ms", or
// "none" before the first.
func Latency(l stats.Latency) string {
	if l.Count == 0 {
		return "none"
	}
	return "p50 " + Duration(l.P50) + " p99 " + Duration(l.P99) + " max " + Duration(l.Max)
}

// Percent returns a fraction of 1 as a percentage: 99.4%.
func Percent(x float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(100*x, 'f', 1, 64), ".0") + "%"
}
