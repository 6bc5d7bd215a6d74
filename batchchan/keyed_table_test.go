package batchchan

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestKeyTable(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		var table keyTable[int, int]
		model := map[int]*keyState[int, int]{}
		shrunk := false
		for range 4 {
			limit := rng.IntN(3000)
			for range rng.IntN(4000) {
				key := rng.IntN(limit + 1)
				s := table.get(key)
				require.True(rt, s == model[key])
				if s == nil {
					s = newKeyState[int, int]()
					s.key = key
					table.put(s)
					model[key] = s
				}
			}
			keep := rng.IntN(100)
			for key, s := range model {
				if rng.IntN(100) >= keep {
					table.remove(s)
					delete(model, key)
					shrunk = shrunk || table.old != nil
				}
				require.Equal(rt, len(model), table.len())
			}
		}
		n := 0
		for _, s := range table.each() {
			require.True(rt, table.get(s.key) == s && model[s.key] == s)
			n++
		}
		require.Equal(rt, len(model), n)
	})
}

func TestKeyChecker(t *testing.T) {
	require.False(t, newKeyChecker[string]().dynamic)
	require.False(t, newKeyChecker[[2]struct{ a int }]().dynamic)
}
