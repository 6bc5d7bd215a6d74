package rt

import (
	"fmt"
	"go/build"
	"os"
	"slices"
	"strings"
	"testing"
)

// releases returns the release tags of Go 1.minor.
func releases(minor int) (tags []string) {
	for i := 1; i <= minor; i++ {
		tags = append(tags, fmt.Sprintf("go1.%d", i))
	}
	return tags
}

// Whatever the build, each function is there once, and it is the portable one
// wherever the other was not verified; poundlock_pinned then fails the build.
func TestExactlyOneTwin(t *testing.T) {
	for _, c := range []struct {
		name     string
		compiler string
		minor    int
		tags     []string
		pinned   bool
		asm      bool // race builds have Goroutine and Labels too
	}{
		{"Go 1.26", "gc", 26, nil, true, true},
		{"Go 1.27", "gc", 27, nil, true, true},
		{"a Go that is not known", "gc", 28, nil, false, false},
		{"one much later", "gc", 99, nil, false, false},
		{"another compiler", "gccgo", 26, nil, false, false},
		{"the race detector", "gc", 26, []string{"race"}, false, true},
		{"the tag", "gc", 26, []string{"poundlock_portable"}, false, false},
	} {
		ctx := build.Default
		ctx.Compiler, ctx.ReleaseTags, ctx.ToolTags = c.compiler, releases(c.minor), nil
		ctx.GOARCH = "amd64"
		ctx.BuildTags = append(c.tags, "poundlock_pinned")
		files, err := os.ReadDir(".")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range files {
			name := f.Name()
			if strings.HasSuffix(name, "_test.go") && name != "runtime_gc_test.go" || name == "doc.go" {
				continue
			}
			in, err := ctx.MatchFile(".", name)
			if err != nil {
				t.Fatal(err)
			}
			if in {
				got = append(got, name)
			}
		}
		want := []string{"goroutine_portable.go", "labels_portable.go"}
		if c.asm {
			want = []string{"goroutine.go", "goroutine_amd64.s", "labels_gc.go"}
		}
		if c.pinned {
			want = append(want, "grace_gc.go", "rt_gc.go", "rt_gc.s", "runtime_gc_test.go", "thread_gc.go")
		} else {
			want = append(want, "grace_portable.go", "pinned_wanted.go", "rt_portable.go", "thread_portable.go")
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s builds with %v, want %v", c.name, got, want)
		}
	}
}
