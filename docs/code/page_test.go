package code

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/internal/pagecode"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestREADMEShowsThisCode(t *testing.T) {
	text := pagecode.Check(t, "../../README.md")
	require.LessOrEqual(t, strings.Count(text, "\n"), 150, "nobody reads on")
}

func TestObservePageShowsThisCode(t *testing.T) { pagecode.Check(t, "../observe.md") }
