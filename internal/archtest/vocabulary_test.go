package archtest

import (
	"fmt"
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

// speaking are the packages that are held to one vocabulary.
var speaking = map[string]bool{
	"batchchan":  true,
	"connpool":   true,
	"lockfree":   true,
	"locks":      true,
	"objpool":    true,
	"workerpool": true,
}

// banned are words that another word has replaced in exported names. An entry
// for a package in spared keeps a word of its own field.
var banned = []struct {
	word   *regexp.Regexp
	use    string
	spared string
}{
	{regexp.MustCompile(`OnFull|^Policy$`), "Overflow", ""},
	{regexp.MustCompile(`Discard`), "Drop", "objpool"},
	{regexp.MustCompile(`MaxIdleTime|KeyIdleTime$|IdleTTL`), "IdleTimeout, KeyIdleTimeout", ""},
	{regexp.MustCompile(`Stats\.Time(d?Out|out)$`), "Timeouts", ""},
	{regexp.MustCompile(`Stats\.(Blocked|Waited|BlockedTime)$`), "Waits, WaitTime", ""},
	{regexp.MustCompile(`Stats\.Peak`), "HighWater", ""},
	{regexp.MustCompile(`Stats\.Usage$`), "Utilization", ""},
	{regexp.MustCompile(`ErrInTask|ErrInProcessor|ErrReentrant`), "ErrInside", ""},
	{regexp.MustCompile(`^Hooks$`), "OnX fields of Config", ""},
	{regexp.MustCompile(`(Dequeue|DequeueBatch)Wait$`), "X(ctx) and TryX", ""},
}

// surface is what a package declares that its users can name.
type surface struct {
	pos     func(ast.Node) string
	pkg     string
	names   map[string]ast.Node                 // exported types, functions, values, fields, methods as T.M
	structs map[string]*ast.StructType          // by type name
	methods map[string]map[string]*ast.FuncDecl // by receiver, exported ones
	funcs   []*ast.FuncDecl
}

func surfaceOf(t *testing.T, pkg string, sources map[string]string) *surface {
	t.Helper()
	fset := token.NewFileSet()
	s := &surface{
		pkg: pkg, names: map[string]ast.Node{}, structs: map[string]*ast.StructType{}, methods: map[string]map[string]*ast.FuncDecl{},
		pos: func(n ast.Node) string {
			p := fset.Position(n.Pos())
			return fmt.Sprintf("%s:%d", p.Filename, p.Line)
		},
	}
	for name, src := range sources {
		f, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range f.Decls {
			s.add(d)
		}
	}
	return s
}

func (s *surface) add(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() {
			return
		}
		if d.Recv == nil {
			s.names[d.Name.Name] = d
			s.funcs = append(s.funcs, d)
			return
		}
		of := receiver(d.Recv.List[0].Type)
		if !ast.IsExported(of) {
			return
		}
		if s.methods[of] == nil {
			s.methods[of] = map[string]*ast.FuncDecl{}
		}
		s.methods[of][d.Name.Name] = d
		s.names[of+"."+d.Name.Name] = d
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, id := range spec.Names {
					if id.IsExported() {
						s.names[id.Name] = spec
					}
				}
			case *ast.TypeSpec:
				if !spec.Name.IsExported() {
					continue
				}
				s.names[spec.Name.Name] = spec
				if st, ok := spec.Type.(*ast.StructType); ok {
					s.structs[spec.Name.Name] = st
					for _, f := range st.Fields.List {
						for _, id := range f.Names {
							if id.IsExported() {
								s.names[spec.Name.Name+"."+id.Name] = f
							}
						}
					}
				}
			}
		}
	}
}

func TestOneVocabulary(t *testing.T) {
	for pkg, held := range speaking {
		if !held {
			continue
		}
		sources := map[string]string{}
		for _, path := range goFiles(t) {
			if filepath.Dir(path) == filepath.Join(root, pkg) && !strings.HasSuffix(path, "_test.go") {
				text, err := os.ReadFile(path)
				require.NoError(t, err)
				sources[path] = string(text)
			}
		}
		require.NotEmpty(t, sources)
		for _, at := range surfaceOf(t, pkg, sources).wrong() {
			t.Error(at)
		}
	}
}

// wrong returns what is not as the vocabulary has it.
func (s *surface) wrong() (found []string) {
	report := func(n ast.Node, format string, args ...any) {
		found = append(found, s.pos(n)+": "+fmt.Sprintf(format, args...))
	}
	for name, n := range s.names {
		for _, b := range banned {
			if b.word.MatchString(name) && b.spared != s.pkg {
				report(n, "%s: the word is %s", name, b.use)
			}
		}
	}
	for name, st := range s.structs {
		if strings.HasSuffix(name, "Stats") {
			s.statistics(name, st, report)
		}
		if strings.HasSuffix(name, "Config") && !s.hasName(st) {
			report(st, "%s has no Name", name)
		}
	}
	for of, methods := range s.methods {
		if m := methods["Close"]; m != nil && result(m) != "error" {
			report(m, "%s.Close returns %q, not an error", of, result(m))
		}
		if m := methods["Shutdown"]; m != nil && result(methods["Done"]) != "<-chan struct{}" {
			report(m, "%s has Shutdown, but no Done() <-chan struct{}", of)
		}
	}
	fails := slices.IndexFunc(s.funcs, func(f *ast.FuncDecl) bool {
		return strings.HasPrefix(f.Name.Name, "New") && strings.HasSuffix(result(f), "error")
	})
	if fails >= 0 && s.names["Must"] == nil {
		report(s.funcs[fails], "%s can fail, and there is no Must", s.funcs[fails].Name.Name)
	}
	slices.Sort(found)
	return found
}

// statistics holds a Stats type to the kinds by which they are exported: uint64
// only grows, int and float64 are of the moment, a Duration says so in its tag.
func (s *surface) statistics(name string, st *ast.StructType, report func(ast.Node, string, ...any)) {
	if s.returnedByStats(name) {
		if len(st.Fields.List) == 0 || len(st.Fields.List[0].Names) != 1 || st.Fields.List[0].Names[0].Name != "Name" || tagOf(st.Fields.List[0]) != "name,omitempty" {
			report(st, "the first field of %s is not Name string `json:\"name,omitempty\"`", name)
		}
		if result(s.methods[name]["String"]) != "string" {
			report(st, "%s has no String() string", name)
		}
		if result(s.methods[name]["LogValue"]) != "slog.Value" {
			report(st, "%s has no LogValue() slog.Value", name)
		}
	}
	for _, f := range st.Fields.List {
		typ := text(f.Type)
		kind, _ := strings.CutPrefix(typ, "[]")
		switch kind {
		case "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uintptr", "float32":
			report(f, "%s: a statistic is a uint64 (only grows), an int or a float64 (of the moment), not %s", name, typ)
		}
		for _, id := range f.Names {
			want := snake(id.Name)
			if typ == "time.Duration" {
				want += "_ns"
			}
			if tag, _, _ := strings.Cut(tagOf(f), ","); id.IsExported() && tag != want {
				report(f, "%s.%s has the JSON name %q, not %q", name, id.Name, tag, want)
			}
		}
	}
}

func (s *surface) returnedByStats(name string) bool {
	for _, methods := range s.methods {
		if m := methods["Stats"]; m != nil && strings.TrimPrefix(result(m), "*") == name {
			return true
		}
	}
	return false
}

// hasName reports whether st has a field Name, of its own or of an embedded struct
// of the package.
func (s *surface) hasName(st *ast.StructType) bool {
	return slices.ContainsFunc(st.Fields.List, func(f *ast.Field) bool {
		if len(f.Names) == 0 {
			of := s.structs[text(f.Type)]
			return of != nil && s.hasName(of)
		}
		return text(f.Type) == "string" && slices.ContainsFunc(f.Names, func(id *ast.Ident) bool { return id.Name == "Name" })
	})
}

// result returns the types that a function returns, as written; "" for nil.
func result(f *ast.FuncDecl) string {
	if f == nil || f.Type.Results == nil {
		return ""
	}
	var all []string
	for _, r := range f.Type.Results.List {
		all = append(all, text(r.Type))
	}
	return strings.Join(all, ", ")
}

// text writes the types that results and statistics have.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return "*" + text(e.X)
	case *ast.SelectorExpr:
		return text(e.X) + "." + e.Sel.Name
	case *ast.IndexExpr:
		return text(e.X)
	case *ast.IndexListExpr:
		return text(e.X)
	case *ast.ArrayType:
		return "[]" + text(e.Elt)
	case *ast.ChanType:
		if e.Dir == ast.RECV {
			return "<-chan " + text(e.Value)
		}
		return "chan " + text(e.Value)
	case *ast.StructType:
		return "struct{}"
	default:
		return fmt.Sprintf("%T", e)
	}
}

func tagOf(f *ast.Field) string {
	if f.Tag == nil {
		return ""
	}
	_, rest, _ := strings.Cut(f.Tag.Value, `json:"`)
	tag, _, _ := strings.Cut(rest, `"`)
	return tag
}

var (
	beforeWord  = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	beforeLower = regexp.MustCompile(`([A-Z])([A-Z][a-z])`)
)

func snake(name string) string {
	name = beforeWord.ReplaceAllString(name, "${1}_$2")
	return strings.ToLower(beforeLower.ReplaceAllString(name, "${1}_$2"))
}

func TestTheVocabularyRule(t *testing.T) {
	const stats = "type Stats struct{ Name string `json:\"name,omitempty\"`; %s }\nfunc (Stats) String() string\nfunc (Stats) LogValue() slog.Value\ntype T int\nfunc (*T) Stats() Stats\n"
	for src, want := range map[string]string{
		"type Config struct{ Name string }\ntype KeyedConfig struct{ Config; X int }": "",
		"type WaitError struct{ Waited int }":                                         "",
		"type Policy int":                                                             "Policy: the word is Overflow",
		"var ErrDiscarded = 1":                                                        "ErrDiscarded: the word is Drop",
		"type C struct{ IdleTTL int }":                                                "C.IdleTTL: the word is IdleTimeout",
		"type t struct{ IdleTTL int }":                                                "",
		"type T int\nfunc (T) DiscardOldest()":                                        "T.DiscardOldest: the word is Drop",
		"type Config struct{ Max int }":                                               "Config has no Name",
		"type KeyedConfig[K any] struct{ Name string }":                               "",
		"func New() (*T, error)":                                                      "New can fail, and there is no Must",
		"func New() (*T, error)\nfunc Must[T any](v T, err error) T":                  "",
		"type T[K any] int\nfunc (*T[K]) Close() bool":                                `T.Close returns "bool"`,
		"type T int\nfunc (*T) Shutdown()":                                            "T has Shutdown, but no Done",
		"type T int\nfunc (*T) Shutdown()\nfunc (*T) Done() <-chan struct{}":          "",
		"type T int\nfunc (*T) Stats() XStats\ntype XStats struct{ X int `json:\"x\"` }\nfunc (XStats) String() string\nfunc (XStats) LogValue() slog.Value": "the first field of XStats is not Name",
		fmt.Sprintf(stats, "Hits uint64 `json:\"hits\"`"):                                                                              "",
		fmt.Sprintf(stats, "Hits int64 `json:\"hits\"`"):                                                                               "a statistic is a uint64",
		fmt.Sprintf(stats, "HitsByCPU uint64 `json:\"hits_by_cpu\"`"):                                                                  "",
		fmt.Sprintf(stats, "HitRate float64 `json:\"hitrate\"`"):                                                                       `"hitrate", not "hit_rate"`,
		fmt.Sprintf(stats, "Wait time.Duration `json:\"wait\"`"):                                                                       `"wait", not "wait_ns"`,
		fmt.Sprintf(stats, "Wait Latency `json:\"wait\"`"):                                                                             "",
		fmt.Sprintf(stats, "PeakWorkers int `json:\"peak_workers\"`"):                                                                  "HighWater",
		"type T int\nfunc (T) Stats() Stats\ntype Stats struct{ Name string `json:\"name,omitempty\"` }\nfunc (Stats) String() string": "no LogValue",
	} {
		got := surfaceOf(t, "p", map[string]string{"x.go": "package p\n" + src}).wrong()
		if want == "" {
			require.Empty(t, got, src)
		} else {
			require.Len(t, got, 1, src)
			require.Contains(t, got[0], want, src)
		}
	}
	require.Empty(t, surfaceOf(t, "objpool", map[string]string{"x.go": "package objpool\ntype Discards struct{}"}).wrong())
}
