package observe

import (
	"reflect"
	"strings"
)

//go:generate go run ./internal/helpgen ..

// helpOf returns the text for a field: that of its help tag, or for poundlock's
// own types the field's comment, which helpgen put into helpTexts. Without either it is
// where the field is from: linters of metrics want a text.
func helpOf(t reflect.Type, f reflect.StructField) string {
	if text := written(t, f); text != "" {
		return text
	}
	return "Field " + f.Name + " of " + t.String()
}

func written(t reflect.Type, f reflect.StructField) string {
	if text, ok := f.Tag.Lookup("help"); ok {
		return strings.Join(strings.Fields(text), " ")
	}
	pkg, ok := strings.CutPrefix(t.PkgPath(), ours)
	if !ok {
		return foreign[t.PkgPath()+"."+t.Name()+"."+f.Name].help
	}
	name, _, _ := strings.Cut(t.Name(), "[")
	return helpTexts[pkg+"."+name+"."+f.Name]
}

// kindOfField returns what a field is where the type misleads and the struct is
// not ours to tag.
func kindOfField(t reflect.Type, f reflect.StructField, byType Kind) Kind {
	if x, ok := foreign[t.PkgPath()+"."+t.Name()+"."+f.Name]; ok && x.counter {
		return Counter
	}
	return byType
}

// foreign are the fields of structs without tags that are worth an exception.
var foreign = map[string]struct {
	counter bool
	help    string
}{
	"database/sql.DBStats.MaxOpenConnections": {false, "Maximum number of open connections to the database; 0: no limit."},
	"database/sql.DBStats.OpenConnections":    {false, "Established connections, both in use and idle."},
	"database/sql.DBStats.InUse":              {false, "Connections in use."},
	"database/sql.DBStats.Idle":               {false, "Idle connections."},
	"database/sql.DBStats.WaitCount":          {true, "Connections waited for."},
	"database/sql.DBStats.WaitDuration":       {true, "Time blocked waiting for a connection."},
	"database/sql.DBStats.MaxIdleClosed":      {true, "Connections closed because of SetMaxIdleConns."},
	"database/sql.DBStats.MaxIdleTimeClosed":  {true, "Connections closed because of SetConnMaxIdleTime."},
	"database/sql.DBStats.MaxLifetimeClosed":  {true, "Connections closed because of SetConnMaxLifetime."},
}
