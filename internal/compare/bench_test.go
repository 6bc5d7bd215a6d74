package compare_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/batchchanbench"
	"github.com/poundlock/poundlock/internal/compare/connpoolbench"
	"github.com/poundlock/poundlock/internal/compare/lockfreebench"
	"github.com/poundlock/poundlock/internal/compare/locksbench"
	"github.com/poundlock/poundlock/internal/compare/objpoolbench"
	"github.com/poundlock/poundlock/internal/compare/workerpoolbench"
)

// ants starts goroutines when it is imported.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// People try a library with go test -bench. What they have now stands there beside
// poundlock, in a case that go test -bench runs: the standard library's means, and of
// other libraries those that the root module requires.
func TestAPackagesBenchmarkHasWhatItsUsersHave(t *testing.T) {
	for pkg, c := range map[string]struct {
		cases []compare.Case
		with  []string // implementation, or implementation of a kind of case
	}{
		"workerpool": {workerpoolbench.Cases(), []string{"ants", "ants func/", "go", "errgroup", "chan"}},
		"batchchan":  {batchchanbench.Cases(), []string{"chan", "select"}},
		"locks":      {locksbench.Cases(), []string{"sync.RWMutex", "sync.Mutex"}},
		"lockfree":   {lockfreebench.Cases(), []string{"chan", "mutex-ring"}},
		"objpool":    {objpoolbench.Cases(), []string{"sync.Pool", "mutex"}},
		"connpool":   {connpoolbench.Cases(), []string{"chan", "sql.DB"}},
	} {
		there := map[string]bool{}
		for _, one := range c.cases {
			if !one.Quick {
				continue // not run by go test -bench
			}
			require.True(t, strings.HasPrefix(one.Impls[0].Name, "poundlock"), one.Key())
			kind, _, _ := strings.Cut(one.Name, "/")
			for _, impl := range one.Impls {
				there[impl.Name], there[impl.Name+" "+kind+"/"] = true, true
			}
		}
		for _, name := range c.with {
			require.True(t, there[name], "%s has no %s", pkg, name)
		}

		// The package's own benchmark is these cases, and not a second copy of them.
		text, err := os.ReadFile("../../" + pkg + "/bench_test.go")
		require.NoError(t, err)
		title := strings.ToUpper(pkg[:1]) + pkg[1:]
		require.Contains(t, string(text), fmt.Sprintf("func Benchmark%s(b *testing.B) { compare.Bench(b, %sbench.Cases()) }", title, pkg))
	}
}

// BenchmarkFake is what the two tests below run as go test -bench does, in a process of
// its own.
func BenchmarkFake(b *testing.B) {
	work := func(b *testing.B) {
		if os.Getenv(drops) != "" {
			b.Error("1 of 7 tasks ran")
		}
	}
	compare.Bench(b, []compare.Case{
		{Name: "empty/workers=8", Quick: true, Impls: []compare.Impl{{Name: "poundlock", Bench: work}, {Name: "sync.Pool", Bench: func(*testing.B) {}}}},
		{Name: "long", Impls: []compare.Impl{{Name: "poundlock", Bench: work}}},
	})
}

const drops = "POUNDLOCK_DROPS"

func fake(t *testing.T, env ...string) (lines []string, err error) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, "-test.run=^$", "-test.bench=^BenchmarkFake$", "-test.benchtime=1x", "-test.cpu=2")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	for line := range strings.Lines(string(out)) {
		if name, _, ok := strings.Cut(line, " "); ok && strings.HasPrefix(name, "Benchmark") {
			lines = append(lines, strings.TrimSpace(name))
		}
	}
	return lines, err
}

// The names are those that benchstat -col /impl reads, and only the cases of the short
// run are run.
func TestBenchNamesCaseAndImplementation(t *testing.T) {
	lines, err := fake(t)
	require.NoError(t, err)
	require.Equal(t, []string{"BenchmarkFake/empty/workers=8/impl=poundlock-2", "BenchmarkFake/empty/workers=8/impl=sync.Pool-2"}, lines)
}

// An implementation that does not do its work fails there, too.
func TestBenchFailsWhatDropsWork(t *testing.T) {
	lines, err := fake(t, drops+"=1")
	require.Error(t, err)
	require.NotContains(t, lines, "BenchmarkFake/empty/workers=8/impl=poundlock-2")
}
