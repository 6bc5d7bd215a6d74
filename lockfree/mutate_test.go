package lockfree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// token is one of a file's, and where it is.
type tokenAt struct {
	text       string
	begin, end int
}

// tokens returns those of src, without comments and semicolons.
func tokens(src string) (list []tokenAt) {
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", 1, len(src))
	s.Init(file, []byte(src), nil, 0)
	for {
		pos, tok, text := s.Scan()
		switch {
		case tok == token.EOF:
			return list
		case tok == token.SEMICOLON:
			continue
		case text == "":
			text = tok.String()
		}
		list = append(list, tokenAt{text, int(pos) - 1, int(pos) - 1 + len(text)})
	}
}

// mutate returns src with the code old, which must be there once, replaced by new.
func mutate(src, old, new string) (string, error) {
	in, what := tokens(src), tokens(old)
	at, times := 0, 0
	for i := range len(in) - len(what) + 1 {
		if slices.EqualFunc(in[i:i+len(what)], what, func(a, b tokenAt) bool { return a.text == b.text }) {
			at = i
			times++
		}
	}
	if times != 1 {
		return "", fmt.Errorf("the code to change is there %d times", times)
	}
	return src[:in[at].begin] + new + src[in[at+len(what)-1].end:], nil
}

// TestMutantsApply finds the code of each mutant: cheap, so that a change of the
// source shows at once which mutants must follow it.
func TestMutantsApply(t *testing.T) {
	for _, m := range append(mutants, control) {
		src, err := os.ReadFile(m.file)
		require.NoError(t, err, m.name)
		_, err = mutate(string(src), m.old, m.new)
		require.NoError(t, err, m.name)
	}
}

func TestMutateIgnoresLayout(t *testing.T) {
	const src = "package p\n\nfunc f() {\n\tg(1, // why\n\t\t2)\n\th()\n}\n"
	got, err := mutate(src, "g(1, 2); h()", "i()")
	require.NoError(t, err)
	require.Equal(t, "package p\n\nfunc f() {\n\ti()\n}\n", got)
	_, err = mutate(src, "g(1, 3)", "")
	require.Error(t, err)
}

// control changes nothing: what it is caught by says nothing about the others.
var control = mutant{"control", "ring.go", "package lockfree", "package lockfree", false}

// TestMutants applies each mutant to a copy of its file and expects the tests to
// fail. The usual run tries those that are quick to see; POUNDLOCK_LONG=1 all.
func TestMutants(t *testing.T) {
	if os.Getenv("POUNDLOCK_MUTANT") != "" {
		t.Skip("this is a mutant")
	}
	if testing.Short() || raceEnabled || chaotic {
		t.Skip("builds the package again and again: once, in the usual build, is enough")
	}
	gobin, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(mutants, control) {
		t.Run(m.name, func(t *testing.T) {
			path := filepath.Join(dir, m.file)
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed, err := mutate(string(src), m.old, m.new)
			if err != nil {
				t.Fatal(err)
			}
			if !m.quick && !long() {
				t.Skip("POUNDLOCK_LONG=1 applies it")
			}
			tmp := t.TempDir()
			mutated := filepath.Join(tmp, m.file)
			if err := os.WriteFile(mutated, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay, _ := json.Marshal(map[string]any{"Replace": map[string]string{path: mutated}})
			config := filepath.Join(tmp, "overlay.json")
			if err := os.WriteFile(config, overlay, 0o600); err != nil {
				t.Fatal(err)
			}
			bin := filepath.Join(tmp, "mutant.test")
			build := exec.Command(gobin, "test", "-c", "-vet=off", "-tags=chaos", "-overlay="+config, "-o", bin, ".")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("does not build: %v\n%s", err, out)
			}
			// One red run of a few is enough: these are races.
			for _, how := range []string{"-test.short", "-test.short", "-test.short=false"} {
				// A run without a mutation takes 3 to 25 s: what is stopped at 75 hangs.
				ctx, cancel := context.WithTimeout(context.Background(), 120*time.Second)
				cmd := exec.CommandContext(ctx, bin, how, "-test.failfast", "-test.timeout=75s")
				cmd.Env = append(os.Environ(), "POUNDLOCK_MUTANT=1", "POUNDLOCK_LONG=")
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				cancel()
				var exit *exec.ExitError
				if errors.As(err, &exit) {
					if m == control {
						t.Fatalf("the tests fail without a mutation:\n%s", out)
					}
					t.Logf("caught: %s", firstFailure(string(out)))
					return
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if m != control {
				t.Error("survived")
			}
		})
	}
}

func firstFailure(out string) string {
	for line := range strings.SplitSeq(out, "\n") {
		if strings.Contains(line, "--- FAIL") || strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			return line
		}
	}
	return "failed"
}
