package enum_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/internal/enum"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	small  uint8
	signed int
)

func TestString(t *testing.T) {
	names := []string{"", "one", "two"}
	require.Equal(t, "", enum.String(small(0), names))
	require.Equal(t, "two", enum.String(small(2), names))
	require.Equal(t, "small(3)", enum.String(small(3), names))
	require.Equal(t, "signed(-1)", enum.String(signed(-1), names))
	require.Equal(t, "signed(0)", enum.String(signed(0), nil))
}

func TestParse(t *testing.T) {
	names := []string{"", "One", "two words"}
	for text, want := range map[string]small{"": 0, "One": 1, "one": 1, "ONE": 1, "two words": 2} {
		v := small(9)
		require.NoError(t, enum.Parse(&v, []byte(text), names))
		require.Equal(t, want, v, text)
	}
	for _, text := range []string{"On", "One ", "1", "small(1)", "two"} {
		v := small(9)
		err := enum.Parse(&v, []byte(text), names)
		require.EqualError(t, err, `enum_test: no small is called "`+text+`", but One, two words`)
		require.Equal(t, small(9), v)
	}
}
