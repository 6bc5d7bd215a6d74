package observe_test

import (
	"bytes"
	"encoding/json"
	"expvar"
	"log/slog"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

var (
	_ expvar.Var     = (*observe.Registry)(nil)
	_ slog.LogValuer = (*observe.Registry)(nil)
)

func TestJSON(t *testing.T) {
	r := full(t)
	add(t, r, "bad", &job{does: func() { panic("a \"quote\"\n") }})
	_, err := observe.AddFunc(r, "nan", "x", func() struct{ A float64 } { return struct{ A float64 }{math.NaN()} })
	require.NoError(t, err)
	var got map[string]map[string]map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.String()), &got))
	jobs := got["poundlock_observe_test_job"]
	require.EqualValues(t, 12, jobs["GET /orders/{id}"]["done"])
	require.EqualValues(t, 3, jobs["GET /orders/{id}"]["dropped"].(map[string]any)["full"])
	require.Contains(t, jobs["bad"]["error"], `panicked: poundlock_observe_test_job "bad": a "quote"`)
	require.Contains(t, got["nan"]["x"]["error"], "NaN")
	require.EqualValues(t, 5, got["poundlock_registry"]["registry"]["sources"])
}

func TestLog(t *testing.T) {
	r := full(t)
	add(t, r, "bad", &job{does: func() { panic("ouch") }})
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("state", "reg", r)
	var got struct {
		Reg map[string]map[string]any `json:"reg"`
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &got))
	jobs := got.Reg["poundlock_observe_test_job"]
	require.EqualValues(t, 12, jobs["GET /orders/{id}"].(map[string]any)["done"])
	require.NotContains(t, jobs, "empty", "nothing to see")
	require.Contains(t, jobs["bad"], "ouch")
}
