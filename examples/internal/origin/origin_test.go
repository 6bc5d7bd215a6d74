package origin

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestATableSaysFromWhichRunItIs(t *testing.T) {
	var b strings.Builder
	Write(&b, "shop", []string{
		"-load", "-postgres", "postgres://shop:secret@localhost:5432/shop", "-mix", "hot,cold,orders",
		"-rates", "500,1000,2000,4000,8000", "-rounds", "5",
	})
	text := b.String()
	for line := range strings.Lines(text) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), 81, line)
	}
	one := strings.Join(strings.Fields(text), " ")
	require.True(t, strings.HasPrefix(one, "go run -C examples ./shop -load -postgres postgres://shop:"), text)
	require.Contains(t, one, " -rounds 5 "+time.Now().UTC().Format("2006-01-02")+", "+runtime.Version())
	require.NotContains(t, text, "secret")
	if out, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output(); err == nil {
		require.Contains(t, one, "commit "+strings.TrimSpace(string(out)))
	}
}
