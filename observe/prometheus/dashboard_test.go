package prometheus

import (
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const dashboard = "../dashboard/"

// The alert rules do what they say on recorded series.
func TestAlertRules(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("needs promtool: Debian's package prometheus")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), tool, args...)
		cmd.Dir = dashboard
		msg, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", msg)
	}
	rules, err := os.ReadFile(dashboard + "alerts.yml")
	require.NoError(t, err)
	tests, err := os.ReadFile(dashboard + "alerts_test.yml")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		require.Regexp(t, m[1]+`\n\s+exp_alerts`, string(tests), "%s is never seen to fire", m[1])
	}
}

// A panel or a rule over a metric that is not there would be silent for ever.
func TestTheDashboardAndRulesNameMetricsThatExist(t *testing.T) {
	there := map[string]bool{}
	for rd := range all(t).All(t.Context()) {
		for _, v := range rd.Values {
			name := rd.Kind + "_" + v.Metric
			there[name], there[name+"_bucket"], there[name+"_sum"] = true, v.Kind.String() == "distribution", v.Kind.String() == "distribution"
		}
	}
	names := map[string]bool{}
	for _, file := range []string{"grafana.json", "alerts.yml", "alerts_test.yml"} {
		text, err := os.ReadFile(dashboard + file)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`poundlock_[a-z0-9_]+`).FindAllString(string(text), -1) {
			if strings.HasSuffix(name, "_") {
				continue // of a pattern
			}
			names[name] = true
			require.True(t, there[name], "%s names %s", file, name)
		}
	}
	require.Greater(t, len(names), 40, "%v", slices.Sorted(maps.Keys(names)))
}

func TestTheDashboardIsJSON(t *testing.T) {
	ids := map[int]bool{}
	for _, p := range panels(t) {
		require.False(t, ids[p.ID], "%s", p.Title)
		ids[p.ID] = true
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24)
		for _, q := range p.Targets {
			require.Equal(t, strings.Count(q.Expr, "("), strings.Count(q.Expr, ")"), q.Expr)
		}
	}
}
