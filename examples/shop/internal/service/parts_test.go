package service

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/connpool/health"
	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &breaker{failures: 3, openFor: time.Second}
		broken := errors.New("broken")
		all := func(error) bool { return true }
		fail := func() error { return b.do(func() error { return broken }, all) }
		for range 2 {
			require.ErrorIs(t, fail(), broken)
		}
		require.NoError(t, b.do(func() error { return nil }, all), "a success ends the row")
		for range 3 {
			require.ErrorIs(t, fail(), broken)
		}
		require.ErrorIs(t, fail(), errOpen)
		require.Equal(t, connpool.BreakerOpen, b.Stats().State)
		time.Sleep(time.Second)
		require.Equal(t, connpool.BreakerHalfOpen, b.Stats().State)
		_ = b.do(func() error {
			require.ErrorIs(t, fail(), errOpen, "one tries at a time")
			return broken
		}, all)
		require.ErrorIs(t, fail(), errOpen, "it failed: open again")
		time.Sleep(time.Second)
		require.Panics(t, func() { _ = b.do(func() error { panic("x") }, all) })
		require.ErrorIs(t, fail(), errOpen, "a panic is a failure")
		time.Sleep(time.Second)
		require.ErrorIs(t, b.do(func() error { return broken }, func(error) bool { return false }), broken)
		require.Equal(t, connpool.BreakerClosed, b.Stats().State, "an error that is not the service's fault")
		require.Equal(t, breakerStats{Calls: 9, Errors: 7, Refused: 4, Opened: 3}, b.Stats())
	})
}

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

func TestLastOfEach(t *testing.T) {
	got := lastOfEach([]goods.Product{{ID: 1, Version: 1}, {ID: 2, Version: 5}, {ID: 1, Version: 3}, {ID: 2, Version: 4}})
	require.Equal(t, []goods.Product{{ID: 1, Version: 3}, {ID: 2, Version: 5}}, got)
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
