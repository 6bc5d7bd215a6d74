package runner

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
	"github.com/poundlock/poundlock/internal/runinfo"
)

// machine describes this machine, as far as it tells.
func machine() result.Machine {
	m := result.Machine{
		GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Go: runtime.Version(),
		Cores: runtime.NumCPU(), MaxPs: runtime.GOMAXPROCS(0),
	}
	m.CPU = runinfo.Processor()
	if kb, err := strconv.ParseUint(strings.TrimSuffix(runinfo.Field("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		m.Memory = kb << 10
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(b))
	}
	return m
}

// version returns the commit that is measured: the one that this program was
// built from, or, as go run does not note it, that of the working directory.
func version() string {
	if v := builtFrom(); v != "" {
		return v
	}
	return runinfo.Commit()
}

func builtFrom() string {
	rev := setting("vcs.revision")
	if len(rev) > 12 {
		rev = rev[:12]
	}
	if rev != "" && setting("vcs.modified") == "true" {
		rev += " with local changes"
	}
	return rev
}

// setting returns what this program was built with under a key of
// debug.BuildInfo, or "".
func setting(key string) string {
	bi, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range bi.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
