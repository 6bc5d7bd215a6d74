package observe

import (
	"fmt"
	"path"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

const ours = "github.com/poundlock/poundlock/"

// kindOf names a Stats type: of workerpool.Stats it is poundlock_workerpool, of
// batchchan.ChanStats poundlock_batchchan_chan, of sql.DBStats sql_db. Package
// observe itself and the "stats" of httpstats say nothing and are left out.
func kindOf(t reflect.Type) string {
	pkg := path.Base(t.PkgPath())
	if isVersion(pkg) {
		pkg = path.Base(path.Dir(t.PkgPath()))
	}
	if t.PkgPath() == ours+"observe" {
		pkg = ""
	} else if strings.HasPrefix(t.PkgPath(), ours+"observe/") {
		pkg = strings.TrimSuffix(pkg, "stats")
	}
	name, _, _ := strings.Cut(t.Name(), "[") // of a generic type
	name = strings.TrimSuffix(name, "Stats")
	kind := word(pkg)
	if name != "" {
		kind = strings.TrimPrefix(kind+"_"+word(name), "_")
	}
	if strings.HasPrefix(t.PkgPath(), ours) {
		kind = "poundlock_" + kind
	}
	return kind
}

// isVersion says whether the last element of a package's path is a major version.
func isVersion(s string) bool {
	digits, ok := strings.CutPrefix(s, "v")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// word turns any name into a piece of a metric's name: MaxIdleTime, max-idle.time
// and max_idle_time become max_idle_time.
func word(s string) string {
	var b strings.Builder
	rs := []rune(s)
	for i, r := range rs {
		if unicode.IsUpper(r) && i > 0 && rs[i-1] != '_' {
			lowerAfter := i+1 < len(rs) && unicode.IsLower(rs[i+1])
			if !unicode.IsUpper(rs[i-1]) || lowerAfter {
				b.WriteByte('_')
			}
		}
		r = unicode.ToLower(r)
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			r = '_'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func checkKind(kind string) error {
	if kind == "" || kind[0] < 'a' || kind[0] > 'z' || kind != word(kind) {
		return fmt.Errorf("%w: kind %q", ErrName, kind)
	}
	return nil
}

// longestName is where a name stops being one.
const longestName = 200

func checkName(kind, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: %s without a name", ErrName, kind)
	case len(name) > longestName:
		return fmt.Errorf("%w: %s with a name of %d bytes, more than %d", ErrName, kind, len(name), longestName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %s %q is not UTF-8", ErrName, kind, name)
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == '"' || r == '\\' }):
		return fmt.Errorf("%w: %s %q has a control character, a quote or a backslash", ErrName, kind, name)
	}
	return nil
}
