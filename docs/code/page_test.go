package code

import (
	"os"
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

// The first minute goes from what it is to how it is done, tested, seen, compared and
// tried: the order is that of the questions that people have.
func TestREADMEsOrder(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	rest := string(text)
	for _, part := range []struct {
		begins  string
		bullets int // -1: not counted
	}{
		{"# poundlock\n\n", -1},
		{"\n[![", -1},
		{"\n`go get ", -1},
		{"\n```go\npool := workerpool.", -1},
		{"\n```\n0 of 0 workers", -1},
		{"\n**Use it if** ", 6},
		{"\n**Use something else if**", 4},
		{"\n## Guarantees\n", -1},
		{"\n## See it\n\n![", -1},
		{"\n## Coming from\n", -1},
		{"\n## One snippet each\n", -1},
		{"\n## Performance\n\n<!-- bench:chart ", -1},
		{"-dark.svg", -1},
		{"-light.svg", -1},
		{"<!-- bench:summary -->", -1},
		{"\nWhere poundlock loses", 3},
		{"\n## Run it yourself\n\n```sh\ngit clone ", -1},
		{"\n## Beyond one process", -1},
		{"\n## Status\n", -1},
	} {
		_, after, ok := strings.Cut(rest, part.begins)
		require.True(t, ok, "%q is missing or stands elsewhere", part.begins)
		rest = after
		if part.bullets >= 0 {
			_, list, _ := strings.Cut(after, "\n\n")
			list, _, _ = strings.Cut(list, "\n\n")
			require.Equal(t, part.bullets, strings.Count("\n"+list, "\n- "), part.begins)
		}
	}
}
