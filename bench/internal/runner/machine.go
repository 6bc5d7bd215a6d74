package runner

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// machine describes this machine, as far as it tells.
func machine() result.Machine {
	m := result.Machine{
		GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Go: runtime.Version(),
		Cores: runtime.NumCPU(), MaxPs: runtime.GOMAXPROCS(0),
	}
	m.CPU = field("/proc/cpuinfo", "model name")
	if kb, err := strconv.ParseUint(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		m.Memory = kb << 10
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(b))
	}
	return m
}

// field returns the first value of a "name : value" line of a file, or "".
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if k, v, ok := strings.Cut(sc.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// version returns the commit that is measured: the one that this program was
// built from, or, as go run does not note it, that of the working directory.
func version() string {
	if v := builtFrom(); v != "" {
		return v
	}
	git := func(args ...string) string {
		out, err := exec.Command("git", args...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	rev := git("rev-parse", "--short=12", "HEAD")
	if rev != "" && git("status", "--porcelain", "--untracked-files=no") != "" {
		rev += " with local changes"
	}
	return rev
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
