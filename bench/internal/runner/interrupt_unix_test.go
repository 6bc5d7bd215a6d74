//go:build unix

package runner

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The whole command as a user runs it, with real children, ended by Ctrl-C.
func TestInterruptFromTheTerminal(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	cmd := exec.Command(exe, "-run", "pair", "-rounds", "100000", "-out", dir)
	cmd.Env = append(os.Environ(), envMain+"=1")
	var out strings.Builder
	cmd.Stdout = &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the signal goes to all of them, as from a terminal
	pipe, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var errs strings.Builder
	for sc := bufio.NewScanner(pipe); sc.Scan(); {
		errs.WriteString(sc.Text() + "\n")
		if strings.HasPrefix(sc.Text(), "round 4 ") {
			require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
		}
	}
	var exit *exec.ExitError
	require.True(t, errors.As(cmd.Wait(), &exit), errs.String())
	assert.Equal(t, statusInterrupted, exit.ExitCode(), errs.String())
	assert.Regexp(t, `self/pair \([34] rounds\)\n`, out.String())
	assert.Contains(t, out.String(), "interrupted after 3 of 100000 rounds")
	assert.NotContains(t, errs.String(), "FAILED", "an interrupted child is no failure")
	assert.FileExists(t, filepath.Join(dir, "report.html"))
}
