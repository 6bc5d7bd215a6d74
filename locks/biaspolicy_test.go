package locks

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBiasIsForReadsThatAreManyAndShared(t *testing.T) {
	var p biasPolicy
	require.False(t, p.worth(minReads-1, 0, false), "too few to tell")
	require.True(t, p.worth(minReads, minReads/enableRatio, false))
	require.False(t, p.worth(minReads, minReads/enableRatio+1, false))
	require.False(t, p.worth(minReads, minReads/enableRatio, true), "short sections gain less")
	require.True(t, p.worth(minReads, minReads/enableRatio/shortFactor, true))

	for range 10 {
		require.False(t, p.shared(1) && p.shared(1), "one thread")
	}
	p = biasPolicy{}
	require.False(t, p.shared(1))
	require.True(t, p.shared(2))
	p.ended()
	require.False(t, p.shared(1), "from the beginning")
	require.True(t, p.shared(2))
}

func TestBiasGoesWhenWritesComeOften(t *testing.T) {
	for _, short := range []bool{false, true} {
		var p biasPolicy
		in := uint64(0)
		write := func(reads uint64) bool { in += reads; return p.pays(in, short) }
		for range 100 {
			require.True(t, write(ratioFor(disableRatio, short)+1), "enough reads between writes")
		}
		writes := 0
		for write(0) {
			writes++
		}
		require.Less(t, writes, 20)
		p.ended()
		require.True(t, write(0), "one writer alone does not end it")
	}
}

func TestEachCoolDownIsLonger(t *testing.T) {
	var p biasPolicy
	last := -1
	for range 10 {
		thread := int32(0)
		folds := 0
		for ; !p.shared(thread); thread = 1 - thread {
			folds++
			require.Less(t, folds, maxCoolDown+10)
		}
		require.GreaterOrEqual(t, folds+1, last) // the first hop may count or not
		last = folds
		p.ended()
		p.coolDown()
	}
	require.GreaterOrEqual(t, last, maxCoolDown)
}

func TestPaceLearnsTheLengthOfSections(t *testing.T) {
	var p pace
	require.False(t, p.short(false), "knows nothing")
	for range 30 {
		p.learn(1)
	}
	require.True(t, p.short(false))
	require.True(t, p.short(true))
	p.learn(1_000_000) // a writer that was descheduled
	p.learn(1)
	for range 30 {
		p.learn(mostRounds)
	}
	require.False(t, p.short(false))
}
