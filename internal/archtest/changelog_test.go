package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	changelogHead = regexp.MustCompile(`(?m)^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$`)
	renameRow     = regexp.MustCompile(`(?m)^\| (\w+) \| (.+) \| (.+) \|$`)
	coded         = regexp.MustCompile("`([A-Za-z.]+)[^`]*`")
)

// kinds are the sections of a release, in their order.
var kinds = []string{"Added", "Changed", "Renamed", "Removed", "Fixed", "Security"}

// A release has a date and a link, the newest comes first, and each kind of change has one
// section: who upgrades reads one list.
func TestTheChangelogHasOneSectionOfAKind(t *testing.T) {
	goFiles(t)
	text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	require.NoError(t, err)
	found := changelogWrong(string(text))
	require.Empty(t, found)
}

// changelogWrong says what a changelog lacks, or has twice.
func changelogWrong(text string) (found []string) {
	heads := changelogHead.FindAllStringSubmatchIndex(text, -1)
	if heads == nil {
		return []string{"no release"}
	}
	last := "9999-99-99"
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		name, date := text[h[2]:h[3]], ""
		if h[4] >= 0 {
			date = text[h[4]:h[5]]
		}
		switch {
		case date == "" && (name != "Unreleased" || i > 0):
			found = append(found, name+": no date")
		case date > last:
			found = append(found, name+": younger than what stands above it")
		}
		last = max(date, "0000") // an Unreleased has none
		if date == "" {
			last = "9999-99-99"
		}
		if !strings.Contains(text, "\n["+name+"]: ") {
			found = append(found, name+": no link")
		}
		at := -1
		lines := map[string]bool{}
		for line := range strings.Lines(text[h[1]:end]) {
			line = strings.TrimSpace(line)
			if kind, ok := strings.CutPrefix(line, "### "); ok {
				k := slices.Index(kinds, kind)
				if k <= at {
					found = append(found, name+": "+kind+" is unknown, there twice or out of order")
				}
				at = max(at, k)
			}
			if strings.HasPrefix(line, "- ") && lines[line] {
				found = append(found, name+": there twice: "+line)
			}
			lines[line] = true
		}
	}
	return found
}

func TestTheChangelogRule(t *testing.T) {
	const links = "\n[Unreleased]: x\n[0.2.0]: x\n[0.1.0]: x\n"
	for text, want := range map[string]int{
		"## [0.2.0] - 2026-02-01\n### Added\n### Fixed\n## [0.1.0] - 2026-01-01\n### Added\n": 0,
		"## [Unreleased]\n## [0.2.0] - 2026-02-01\n":                                          0,
		"## [0.2.0]\n": 1,
		"## [0.2.0] - 2026-01-01\n## [0.1.0] - 2026-02-01\n":                  1,
		"## [0.3.0] - 2026-02-01\n":                                           1,
		"## [0.2.0] - 2026-02-01\n### Added\n### Fixed\n### Added\n":          1,
		"## [0.2.0] - 2026-02-01\n### Fixed\n### Changed\n":                   1,
		"## [0.2.0] - 2026-02-01\n### Added\n- `x`: a\n### Fixed\n- `x`: a\n": 1,
		"## [0.2.0] - 2026-02-01\n### Novel\n":                                1,
		"":                                                                    1,
	} {
		require.Len(t, changelogWrong(text+links), want, text)
	}
}

// The table of renames is right: what stands under "now" is exported, what stands under
// "before" is no more, unless the name stayed and something else about it changed.
func TestRenamesAreTrue(t *testing.T) {
	goFiles(t)
	text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	require.NoError(t, err)
	exported := map[string]map[string]bool{}
	rows := renameRow.FindAllStringSubmatch(string(text), -1)
	for _, row := range rows {
		pkg := row[1]
		if pkg == "package" {
			continue
		}
		if exported[pkg] == nil {
			exported[pkg] = exportedNames(t, pkg, pkg+"/health", "internal/panics")
		}
		for _, wrong := range renameWrong(row[2], row[3], exported[pkg]) {
			t.Errorf("%s: %s in %s", pkg, wrong, row[0])
		}
	}
	require.Greater(t, len(rows), 20)
}

// renameWrong returns what is wrong with a row of the table.
func renameWrong(before, now string, exported map[string]bool) (found []string) {
	kept := map[string]bool{}
	for _, m := range coded.FindAllStringSubmatch(now, -1) {
		kept[last(m[1])] = true
		if !exported[last(m[1])] {
			found = append(found, m[1]+" does not exist")
		}
	}
	for _, m := range coded.FindAllStringSubmatch(before, -1) {
		name := strings.TrimPrefix(m[1], "health.")
		if exported[name] && !kept[last(name)] {
			found = append(found, name+" is still there")
		}
	}
	return found
}

func TestTheRuleOfRenames(t *testing.T) {
	exported := map[string]bool{"Config": true, "Name": true, "Config.Name": true, "Close": true, "Pool.Close": true}
	for row, want := range map[[2]string]int{
		{"`Config.Title`", "`Config.Name`"}:             0,
		{"`Config.Title`", "`Config.Label`"}:            1,
		{"`Config.Name`", "`Close`"}:                    1,
		{"`Pool.Close() bool`", "`Close() error`"}:      0,
		{"`Interface`", "gone"}:                         0,
		{"`Close`", "gone"}:                             1,
		{"`health.Config.Busy`", "`Name` (and `Size`)"}: 1,
	} {
		require.Len(t, renameWrong(row[0], row[1], exported), want, row)
	}
}

// last is the part of a name behind its dots.
func last(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// exportedNames are the exported names of packages, members of types with and without
// the type's: "Config", "Config.Name" and "Name".
func exportedNames(t *testing.T, dirs ...string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	add := func(of string, id *ast.Ident) {
		if !id.IsExported() {
			return
		}
		names[id.Name] = true
		if of != "" {
			names[of+"."+id.Name] = true
		}
	}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		require.NoError(t, err)
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, d := range f.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					of := ""
					if d.Recv != nil {
						of = receiver(d.Recv.List[0].Type)
					}
					add(of, d.Name)
				case *ast.GenDecl:
					for _, s := range d.Specs {
						switch s := s.(type) {
						case *ast.TypeSpec:
							add("", s.Name)
							if st, ok := s.Type.(*ast.StructType); ok {
								for _, field := range st.Fields.List {
									for _, id := range field.Names {
										add(s.Name.Name, id)
									}
								}
							}
						case *ast.ValueSpec:
							for _, id := range s.Names {
								add("", id)
							}
						}
					}
				}
			}
		}
	}
	return names
}
