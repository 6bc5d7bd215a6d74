package service

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool/health"
)

// When a server is added, a product moves to it or stays where it is.
func TestOnlyTheNewServersShareMoves(t *testing.T) {
	two := &ring{seeds: []uint64{11, 22}}
	three := &ring{seeds: []uint64{11, 22, 33}}
	count := make([]int, 3)
	const n = 3000
	for id := range int64(n) {
		a, b := two.place(id), three.place(id)
		if b != 2 {
			require.Equal(t, a, b)
		}
		count[b]++
	}
	for _, c := range count {
		require.InDelta(t, n/3, c, n/20)
	}
}

func TestPolicyText(t *testing.T) {
	var p Policy
	require.NoError(t, p.UnmarshalText([]byte("back")))
	require.Equal(t, Back, p)
	require.Error(t, p.UnmarshalText([]byte("sideways")))
}

func TestAdvice(t *testing.T) {
	ms := time.Millisecond
	for want, c := range map[string]health.Calls{
		"errors":              {Count: 3, Errors: 2},
		"locks":               {Count: 9, Mean: 30 * ms, Max: 900 * ms},
		"that row":            {Name: "orders.reserve", Count: 9, Mean: 30 * ms, Max: 50 * ms},
		"the machine is busy": {Name: "orders.get", Count: 9, Mean: 30 * ms, Max: 50 * ms},
		"index scan":          {Name: "products.load", Count: 9, Mean: 130 * ms, Max: 150 * ms},
	} {
		require.Contains(t, advice(c), want)
	}
}

// An outage does not flood the log, and the log says how much it left out.
func TestALineASecondForEachRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		log := slog.New(slog.NewTextHandler(&out, nil))
		var f failures
		for range 100 {
			f.log(log, "GET /a", 503, errShort)
		}
		f.log(log, "GET /b", 503, errShort)
		require.Equal(t, 2, strings.Count(out.String(), "\n"))
		time.Sleep(time.Second)
		f.log(log, "GET /a", 503, errShort)
		f.log(log, "GET /b", 503, errShort)
		require.Equal(t, 1, strings.Count(out.String(), "unlogged_before=99"))
		require.Equal(t, 3, strings.Count(out.String(), "unlogged_before=0"))
	})
}
