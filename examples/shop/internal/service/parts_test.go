package service

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool/health"
	"github.com/poundlock/poundlock/examples/shop/internal/goods"
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
